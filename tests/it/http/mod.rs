//! The public listener: responses, pages that may ask, broken and hostile callers, and the end of a
//! server.

mod attacks;
mod bounds;
mod client_mistakes;
mod cors;
mod front;
mod other_listener;
mod paths;
mod questions;
mod stops;
