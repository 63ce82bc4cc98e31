//! Times one evaluation: a miss in an allowlist of 100,000, then a 10 % rollout. Beside it the
//! floor of that work is timed: one probe of a hash set and one murmur3.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::large_stack_arrays,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by a panic, and sets up what it needs"
)]

use std::collections::HashSet;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use turnout::definition::{DefinitionSet, FlagFiles};
use turnout::flag::{
    Context, Flag, Identity, ServerAuth, TargetingKey, Unit, bucket, evaluate, hash,
};

const LISTED: usize = 100_000;
/// Users evaluated in turn; the allowlist names none of them.
const ASKERS: usize = 1_000;

fn listed() -> impl Iterator<Item = String> {
    (0..LISTED).map(|number| format!("listed-user-{number:08}"))
}

fn flag() -> Flag {
    let flag = "version: 1\nflag: chat\nenabled: true\ndefault: polling\nwhen_stopped: polling\n\
        allow: [{ segment: internal, strategy: realtime-v2 }]\nrollout: { realtime-v2: 10% }\n";
    let segment = "version: 1\nsegment: internal\nusers_file: ids.txt\n";
    let ids: String = listed().map(|id| id + "\n").collect();
    let mut definitions = DefinitionSet::default();
    let findings = definitions.update(&FlagFiles::of([
        ("chat.yaml", flag),
        ("segments/internal.yaml", segment),
        ("ids.txt", &ids),
    ]));
    assert!(findings.is_empty(), "{findings:?}");
    let form = definitions.flags().next().and_then(|(_, form)| form);
    let Some((definition, segments)) = form else { unreachable!("the flag is sound") };
    Flag::as_written(definition, segments)
}

fn benchmark(c: &mut Criterion) {
    let flag = flag();
    let askers: Vec<String> =
        (0..ASKERS).map(|number| format!("asking-user-{number:08}")).collect();
    let set: HashSet<Box<str>, foldhash::fast::RandomState> =
        listed().map(String::into_boxed_str).collect();
    let mut group = c.benchmark_group("miss of 100k, then 10%");
    let mut next = 0;
    let mut next = || {
        next = (next + 1) % ASKERS;
        askers[next].as_str()
    };
    group.bench_function("floor: hash set + murmur3", |b| {
        b.iter(|| {
            let user = black_box(next());
            let listed = set.contains(user);
            let bucket =
                Unit::new(user).map(|unit| bucket(hash(&flag.definition.salt, unit)).number());
            black_box((listed, bucket.is_some_and(|bucket| bucket < 10_000)))
        });
    });
    group.bench_function("one evaluation", |b| {
        b.iter(|| {
            let key = TargetingKey::parse(black_box(next())).unwrap_or_default();
            black_box(evaluate(&flag, &Context::new(Identity::Plain, key, &[]), ServerAuth::Off))
        });
    });
    group.finish();
}

criterion_group!(benches, benchmark);
criterion_main!(benches);
