//! JSONB, the binary form of fastjson2, as far as a proxy needs it: reading texts and numbers, walking over the other
//! values, writing a few.
//!
//! Dubbo writes each element of a body as a length of four bytes and one JSONB value. Arguments are skipped by their
//! lengths; the attachments alone are walked over. The source of the format is fastjson2's `JSONB.Constants`,
//! `JSONWriterJSONB` and `JSONReaderJSONB` (2.0.27 to 2.0.56).

pub(crate) mod value;
pub(crate) mod walk;
pub(crate) mod write;
