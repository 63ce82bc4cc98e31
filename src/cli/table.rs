//! Aligned columns, which know how wide the terminal is.

use super::output;

/// Rows under a head, whose names stand two blanks apart; columns are as wide as their widest cell,
/// and the last one has no fixed width. On a terminal that is too narrow the rows are laid out cell after cell, and go on in a line of their
/// own. A pipe gets one line a row.
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
    let width = |column: usize| all().map(|row| length(&row[column])).max().unwrap_or_default();
    let widths: [usize; N] = std::array::from_fn(width);
    let aligned = |row: &[String; N]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    let lines: Vec<String> = all().map(aligned).collect();
    match columns {
        Some(columns) if lines.iter().any(|line| length(line) > columns + 1) => {
            all().map(|row| flowing(row, columns)).collect()
        }
        _ => lines.concat(),
    }
}

/// The cells of a row one after the other; a line that is full goes on in the next, indented.
fn flowing(row: &[String], columns: usize) -> String {
    let (mut text, mut used) = (String::new(), 0);
    for cell in row.iter().filter(|cell| !cell.is_empty()) {
        if used > 0 && used + 2 + length(cell) > columns {
            text.push('\n');
            used = 0;
        }
        let indent = if used > 0 || !text.is_empty() { "  " } else { "" };
        text.push_str(indent);
        text.push_str(cell);
        used += indent.len() + length(cell);
    }
    text + "\n"
}

fn length(text: &str) -> usize {
    text.chars().count()
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
            (Some(22), "FLAG  LIVE  HELD BY\nchat  realtime-v2 10%\n  oncall\nb  polling\n"),
            (Some(1), "FLAG\n  LIVE\n  HELD BY\nchat\n  realtime-v2 10%\n  oncall\nb\n  polling\n"),
        ];
        for (columns, wanted) in table {
            assert_eq!(laid_out(&head, &rows, columns), wanted, "{columns:?}");
        }
    }
}
