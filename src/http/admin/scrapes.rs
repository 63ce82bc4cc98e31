//! What is looked up once for all pages of metrics.

use crate::data_dir::DiskUsage;
use crate::time_limit::OneAtATime;

/// What is looked up once for all pages, however many are written.
#[derive(Debug, Default)]
pub struct Scrapes {
    pub disk: OneAtATime<DiskUsage>,
}
