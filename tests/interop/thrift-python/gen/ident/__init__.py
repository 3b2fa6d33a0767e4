__all__ = ['ttypes']
