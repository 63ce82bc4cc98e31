//! The command line, typed: the real binary, its output and its exit codes.

mod ask;
mod backup;
mod check_places;
mod commands;
mod completions;
mod converge;
mod demo;
mod diff;
mod documented;
mod examples;
mod feeds;
mod fits;
mod formats;
mod operate;
mod printed;
mod retire;
mod roles;
mod screens;
mod sessions;
mod settings;
mod typos;
