//! Hessian2, as far as a proxy needs it: reading single values, walking over the others, writing a few.
//!
//! Nothing here builds a value. The source of the format is the Hessian 2.0 serialization specification; where
//! Dubbo's own dialect (hessian-lite) differs from it, the comment at the place says so.

pub(crate) mod text;
pub(crate) mod value;
pub(crate) mod walk;
pub(crate) mod write;
