pub mod definition;
pub mod flag;
