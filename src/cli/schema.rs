//! `turnout schema`: the JSON Schema of a kind of file, printed from the code.

use clap::{Args, ValueEnum};

use super::{Exit, print};
use crate::definition::{flag_schema, segment_schema};

#[derive(Debug, Args)]
pub struct Schema {
    /// The kind of file
    kind: Kind,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    Flag,
    Segment,
}

impl Schema {
    pub fn run(&self) -> Exit {
        let schema = match self.kind {
            Kind::Flag => flag_schema(),
            Kind::Segment => segment_schema(),
        };
        print(&format!("{schema:#}\n"));
        Exit::Yes
    }
}
