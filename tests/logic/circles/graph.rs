//! A graph of files, and the circles in it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What each file needs: the other file, and the names that it takes from there.
pub type Needs = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

pub struct Graph(Needs);

impl Graph {
    pub fn new(needs: Needs) -> Graph {
        Graph(needs)
    }

    /// The groups of files in which each reaches all others, in order.
    pub fn circles(&self) -> Vec<BTreeSet<String>> {
        let mut circles: BTreeSet<BTreeSet<String>> = BTreeSet::new();
        let reached: BTreeMap<&String, BTreeSet<&String>> =
            self.0.keys().map(|file| (file, self.reached_from(file))).collect();
        for (file, others) in &reached {
            if others.contains(file) {
                let back =
                    |other: &&&String| reached.get(**other).is_some_and(|from| from.contains(file));
                circles.insert(others.iter().filter(back).map(|other| (*other).clone()).collect());
            }
        }
        circles.into_iter().collect()
    }

    /// The shortest way round through the circle's first file:
    /// `a.rs (Bean) -> b.rs (Apple) -> a.rs`, each with what it takes from the next.
    pub fn way_round(&self, circle: &BTreeSet<String>) -> String {
        let Some(start) = circle.first() else { return String::new() };
        let mut came_from: BTreeMap<&String, &String> = BTreeMap::new();
        let mut open = VecDeque::from([start]);
        while let Some(file) = open.pop_front() {
            for next in self.next(file).filter(|next| circle.contains(*next)) {
                if next == start {
                    let mut way = vec![file];
                    while *way[0] != *start {
                        way.insert(0, came_from[way[0]]);
                    }
                    return self.line(&way, start);
                }
                if next != start && !came_from.contains_key(next) {
                    came_from.insert(next, file);
                    open.push_back(next);
                }
            }
        }
        String::new()
    }

    fn line(&self, way: &[&String], start: &String) -> String {
        let nexts = way.iter().skip(1).copied().chain([start]);
        let mut line = String::new();
        for (file, next) in way.iter().zip(nexts) {
            let names: Vec<&str> = self.0[*file][next].iter().take(3).map(String::as_str).collect();
            line.push_str(&format!("{file} ({}) -> ", names.join(", ")));
        }
        line + start
    }

    fn next(&self, file: &String) -> impl Iterator<Item = &String> {
        self.0.get(file).into_iter().flat_map(|needs| needs.keys())
    }

    fn reached_from(&self, file: &String) -> BTreeSet<&String> {
        let mut reached = BTreeSet::new();
        let mut open: Vec<&String> = self.next(file).collect();
        while let Some(next) = open.pop() {
            if reached.insert(next) {
                open.extend(self.next(next));
            }
        }
        reached
    }
}
