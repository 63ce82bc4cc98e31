//! Preloaded before a program (`LD_PRELOAD`): its writes to files called `turnout.db…`, or as
//! SLOW_FILE says, take as long as on a disk of SLOW_KB kilobytes a second, and each sync of them
//! SLOW_SYNC_MS longer. Both hang while there is a file HANG_WHILE, beside which they make one that
//! ends in `.hangs`; reads hang while there is one that ends in `.reads`, and take 3 ms longer while there
//! is one that ends in `.slow-reads`; syncs take 0.3 s longer while there is one that ends in `.slow`, or as
//! many milliseconds as it says, and fail while there is one that ends in `.fails`. The test beside this compiles it with rustc.

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::time::Duration;

unsafe extern "C" {
    fn dlsym(definitions: *mut c_void, name: *const c_char) -> *mut c_void;
}

/// The next library that has a function of that name: the one that does the work.
const NEXT: *mut c_void = -1_isize as *mut c_void;

type Read = unsafe extern "C" fn(c_int, *mut c_void, usize, i64) -> isize;
type Write = unsafe extern "C" fn(c_int, *const c_void, usize, i64) -> isize;
type Sync = unsafe extern "C" fn(c_int) -> c_int;

thread_local! {
    /// Time to sleep, slept once it is long enough.
    static OWED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn is_slow(file: c_int) -> bool {
    let slow = std::env::var("SLOW_FILE").unwrap_or_else(|_| "/turnout.db".to_owned());
    std::fs::read_link(format!("/proc/self/fd/{file}")).is_ok_and(|path| path.to_string_lossy().contains(&slow))
}

fn pay_for(bytes: usize) {
    let Some(kilobytes) = number("SLOW_KB") else { return };
    let owed = OWED.get() + Duration::from_micros(bytes as u64 * 1000 / kilobytes);
    OWED.set(owed);
    if owed > Duration::from_millis(2) {
        OWED.set(Duration::ZERO);
        std::thread::sleep(owed);
    }
}

fn hang() {
    let Ok(hangs_while) = std::env::var("HANG_WHILE") else { return };
    while std::fs::exists(&hangs_while).unwrap_or_default() {
        let _ = std::fs::write(format!("{hangs_while}.hangs"), "");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether there is a file beside HANG_WHILE that ends so.
fn is_there(end: &str) -> bool {
    std::env::var("HANG_WHILE").is_ok_and(|file| std::fs::exists(format!("{file}.{end}")).unwrap_or_default())
}

unsafe fn read(name: &CStr, file: c_int, bytes: *mut c_void, count: usize, at: i64) -> isize {
    while is_there("reads") && is_slow(file) {
        std::thread::sleep(Duration::from_millis(5));
    }
    if is_there("slow-reads") && is_slow(file) {
        std::thread::sleep(Duration::from_millis(3));
    }
    // SAFETY: the function of that name in the C library has this type, and its arguments are
    // passed on as they came.
    unsafe { std::mem::transmute::<*mut c_void, Read>(dlsym(NEXT, name.as_ptr()))(file, bytes, count, at) }
}

unsafe fn write(name: &CStr, file: c_int, bytes: *const c_void, count: usize, at: i64) -> isize {
    if is_slow(file) {
        pay_for(count);
        hang();
    }
    // SAFETY: as above.
    unsafe { std::mem::transmute::<*mut c_void, Write>(dlsym(NEXT, name.as_ptr()))(file, bytes, count, at) }
}

unsafe fn sync(name: &CStr, file: c_int) -> c_int {
    if is_slow(file) {
        std::thread::sleep(Duration::from_millis(number("SLOW_SYNC_MS").unwrap_or_default()));
        hang();
        if is_there("slow") {
            let longer = std::env::var("HANG_WHILE").map(|file| std::fs::read_to_string(format!("{file}.slow")));
            let longer = longer.ok().and_then(Result::ok).and_then(|ms| ms.parse().ok());
            std::thread::sleep(Duration::from_millis(longer.unwrap_or(300)));
        }
        // What was written stays in the file.
        if is_there("fails") {
            return -1;
        }
    }
    // SAFETY: as above.
    unsafe { std::mem::transmute::<*mut c_void, Sync>(dlsym(NEXT, name.as_ptr()))(file) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite64(file: c_int, bytes: *const c_void, count: usize, at: i64) -> isize {
    unsafe { write(c"pwrite64", file, bytes, count, at) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite(file: c_int, bytes: *const c_void, count: usize, at: i64) -> isize {
    unsafe { write(c"pwrite", file, bytes, count, at) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsync(file: c_int) -> c_int {
    unsafe { sync(c"fsync", file) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdatasync(file: c_int) -> c_int {
    unsafe { sync(c"fdatasync", file) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn pread64(file: c_int, bytes: *mut c_void, count: usize, at: i64) -> isize {
    unsafe { read(c"pread64", file, bytes, count, at) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn pread(file: c_int, bytes: *mut c_void, count: usize, at: i64) -> isize {
    unsafe { read(c"pread", file, bytes, count, at) }
}
