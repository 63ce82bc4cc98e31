//! Aligned columns, which know how wide the terminal is.

use std::ops::Range;

use super::output;
use super::width::{padded, width};

/// The blanks between two columns, and before what stands in a further line.
const GAP: usize = 2;

/// Rows under a head, whose names stand two blanks apart; columns are as wide as their widest cell. On a
/// terminal that is too narrow each row has several lines, with the same columns in each, so that they
/// stay aligned. A pipe gets one line a row.
pub fn table<const N: usize>(head: &str, rows: &[[String; N]]) -> String {
    let mut names = head.split("  ").map(str::to_owned);
    let head: [String; N] = std::array::from_fn(|_| names.next().unwrap_or_default());
    laid_out(&head, rows, output::columns())
}

fn laid_out<const N: usize>(
    head: &[String; N],
    rows: &[[String; N]],
    columns: Option<usize>,
) -> String {
    let all = || std::iter::once(head).chain(rows);
    let widest = |column: usize| all().map(|row| width(&row[column])).max().unwrap_or_default();
    let widths: [usize; N] = std::array::from_fn(widest);
    let parts = parts(&widths, columns.unwrap_or(usize::MAX));
    let line = |row: &[String; N], part: &Range<usize>| {
        let indent = if part.start > 0 { GAP } else { 0 };
        let cells = part.clone().map(|column| padded(&row[column], widths[column]));
        let line = cells.collect::<Vec<_>>().join(&" ".repeat(GAP));
        let line = line.trim_end();
        if line.is_empty() { String::new() } else { format!("{:indent$}{line}\n", "") }
    };
    let row = |row: &[String; N]| parts.iter().map(|part| line(row, part)).collect::<String>();
    all().map(row).collect()
}

/// Which columns stand in each line of a row.
fn parts(widths: &[usize], columns: usize) -> Vec<Range<usize>> {
    let (mut parts, mut start, mut used) = (Vec::new(), 0, 0);
    for (column, width) in widths.iter().enumerate() {
        if column > start && used + GAP + width > columns {
            parts.push(start..column);
            (start, used) = (column, 0);
        }
        used += if used > 0 || start > 0 { GAP + width } else { *width };
    }
    parts.push(start..widths.len());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_fits_its_terminal() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned);
        let head = row(["FLAG", "LIVE", "HELD BY"]);
        let rows = [row(["chat", "realtime-v2 10%", "oncall"]), row(["b", "polling", ""])];
        let table: [(Option<usize>, &str); 4] = [
            (
                None,
                "FLAG  LIVE             HELD BY\nchat  realtime-v2 10%  oncall\nb     polling\n",
            ),
            (
                Some(30),
                "FLAG  LIVE             HELD BY\nchat  realtime-v2 10%  oncall\nb     polling\n",
            ),
            (Some(22), "FLAG  LIVE\n  HELD BY\nchat  realtime-v2 10%\n  oncall\nb     polling\n"),
            (Some(1), "FLAG\n  LIVE\n  HELD BY\nchat\n  realtime-v2 10%\n  oncall\nb\n  polling\n"),
        ];
        for (columns, wanted) in table {
            assert_eq!(laid_out(&head, &rows, columns), wanted, "{columns:?}");
        }
    }
}
