//! Bytes mutated by a script that is itself nothing but bytes: any source of bytes, a property test
//! or a fuzzer, can mutate real inputs.

/// The most mutations of one script.
const BENDS: usize = 16;
/// The bytes that one mutation takes from its script.
const STEP: usize = 5;

/// Bytes with a meaning to a reader of YAML, JSON, HTTP or UTF-8.
const TROUBLE: [&[u8]; 32] = [
    b"\n",
    b"\r\n",
    b"\r",
    b"\0",
    b"\t",
    b" ",
    b": ",
    b"- ",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b"\"",
    b"'",
    b"\\u0000",
    b"\\ud800",
    b"&a ",
    b"*a",
    b"!!str ",
    b"<<: ",
    b"\n---\n",
    b"%YAML 1.2\n",
    b"| \n",
    b"~",
    b"1e999",
    b"\xef\xbb\xbf",
    b"\xff",
    b"\xf0\x9f\x98",
    b"\xe2\x80\xa8",
    b"\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n",
];

/// The first byte chooses one of the originals, to be mutated by the rest; or none of them, and the
/// rest is the whole input.
pub fn made_of(originals: &[&[u8]], input: &[u8]) -> Vec<u8> {
    let Some((choice, script)) = input.split_first() else { return Vec::new() };
    match originals.get(usize::from(*choice) % (originals.len() + 1)) {
        Some(original) => bend(original, originals, script),
        None => script.to_vec(),
    }
}

fn bend(original: &[u8], originals: &[&[u8]], script: &[u8]) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for step in script.chunks_exact(STEP).take(BENDS) {
        let [kind, at_high, at_low, length, value] = *step else { continue };
        let place =
            |length: usize| (length * usize::from(u16::from_be_bytes([at_high, at_low]))) >> 16;
        let at = place(bytes.len() + 1);
        let end = bytes.len().min(at + usize::from(length));
        let insert =
            |bytes: &mut Vec<u8>, more: &[u8]| drop(bytes.splice(at..at, more.iter().copied()));
        match kind % 9 {
            0 if at < bytes.len() => bytes[at] ^= 1 << (value % 8),
            1 if at < bytes.len() => bytes[at] = value,
            2 => drop(bytes.drain(at..end)),
            3 => insert(&mut bytes, &original[..original.len().min(usize::from(length))]),
            4 => insert(&mut bytes, &vec![value; usize::from(length)]),
            5 | 6 => insert(&mut bytes, TROUBLE[usize::from(value) % TROUBLE.len()]),
            7 => {
                let other = originals[usize::from(value) % originals.len()];
                let from = place(other.len());
                insert(&mut bytes, &other[from..other.len().min(from + usize::from(length))]);
            }
            8 => bytes.truncate(at),
            _ => {}
        }
    }
    bytes
}
