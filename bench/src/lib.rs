//! Load generator and comparison with other proxies.
