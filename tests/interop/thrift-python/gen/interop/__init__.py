__all__ = ['ttypes', 'constants', 'Shop', 'Greeter', 'Ghost']
