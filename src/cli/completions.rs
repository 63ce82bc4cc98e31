//! `turnout completions` and `turnout schema`: files for other tools, printed from the code.

use clap::{Args, Command, ValueEnum};
use clap_complete::Shell;

use super::{Exit, print};
use crate::definition::{flag_schema, segment_schema};

#[derive(Debug, Args)]
pub struct Completions {
    /// The shell that is to complete
    shell: Shell,
}

impl Completions {
    pub fn run(&self, mut turnout: Command) -> Exit {
        let name = turnout.get_name().to_owned();
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut turnout, name, &mut script);
        print(&String::from_utf8_lossy(&script));
        Exit::Yes
    }
}

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
