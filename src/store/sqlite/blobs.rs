//! Reads blobs in their parts. A long one is read a part at a time, and a cached one is checked
//! against its hash and not stored twice: a list of a million ids is in memory once, also while it
//! is read. A stored blob never changes, so each page is read by itself, and other readers run in
//! between.

use std::collections::BTreeMap;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use sqlx::Row;

use super::reader::Reader;
use crate::ledger::{Blobs, ContentHash};
use crate::store::error::StoreError;

/// The most blobs that one query asks for.
const MAX_BLOBS_PER_READ: usize = 64;

/// The size of a part. Larger parts would be large blocks of memory while they are read, and memory
/// that was released in large blocks is not all returned to the system.
pub const PART_BYTES: usize = 64 * 1024;
/// Reads these blobs, as far as they exist and match their hashes. For a cached blob (`cached`)
/// the cached bytes are returned.
pub async fn read(
    reader: &Reader,
    ids: &[ContentHash],
    cached: &Blobs,
) -> Result<Blobs, StoreError> {
    let mut blobs = Blobs::new();
    for ids in ids.chunks(MAX_BLOBS_PER_READ) {
        read_some(reader, ids, cached, &mut blobs)
            .await
            .map_err(StoreError::doing("read definitions"))?;
    }
    Ok(blobs)
}

/// Reads the first of these blobs, as many as fit into so many bytes.
pub async fn read_up_to(
    reader: &Reader,
    ids: &[ContentHash],
    bytes: usize,
) -> Result<Blobs, StoreError> {
    let (mut blobs, mut room) = (Blobs::new(), bytes as i64);
    for id in ids {
        if blobs.contains_key(id) {
            continue;
        }
        let query = sqlx::query("SELECT coalesce(sum(length(bytes)), 0) FROM texts WHERE id = $1")
            .bind(id.to_string());
        let length = query
            .fetch_one(&mut *reader.lock().await)
            .await
            .and_then(|row| row.try_get::<i64, _>(0));
        room -= length.map_err(StoreError::doing("read definitions"))?;
        if room < 0 {
            break;
        }
        blobs.extend(read(reader, &[*id], &Blobs::new()).await?);
    }
    Ok(blobs)
}

/// Whether a blob exists and matches its hash.
pub async fn is_intact(reader: &Reader, id: ContentHash) -> Result<bool, StoreError> {
    // An empty entry in the cache means that the bytes are not kept.
    Ok(!read(reader, &[id], &Blobs::from([(id, Bytes::new())])).await?.is_empty())
}

async fn read_some(
    reader: &Reader,
    ids: &[ContentHash],
    cached: &Blobs,
    blobs: &mut Blobs,
) -> Result<(), sqlx::Error> {
    // A blob of one part is read with the row that names it. The length of a row is known without
    // reading its bytes.
    const ROWS: &str = "SELECT id, part, length(bytes), CASE WHEN part = 0 AND length(bytes) < $2 THEN bytes END FROM texts \
        WHERE id IN (SELECT value FROM json_each($1)) ORDER BY id, part";
    let query = sqlx::query(ROWS).bind(serde_json::json!(ids).to_string()).bind(PART_BYTES as i64);
    let mut found: BTreeMap<ContentHash, Vec<BlobRow>> = BTreeMap::new();
    let rows = query.fetch_all(&mut *reader.lock().await).await?;
    for row in rows {
        // An id that is not a hash belongs to no blob of Turnout.
        if let Ok(id) = row.try_get::<String, _>(0)?.parse() {
            let part = BlobRow {
                number: row.try_get(1)?,
                length: row.try_get(2)?,
                bytes: row.try_get(3)?,
            };
            found.entry(id).or_default().push(part);
        }
    }
    for (id, parts) in found {
        if let Some(bytes) = join(reader, id, parts, cached.get(&id)).await? {
            blobs.insert(id, bytes);
        }
    }
    Ok(())
}

/// A row of a blob; without its bytes if it is long.
struct BlobRow {
    number: i64,
    length: i64,
    bytes: Option<Vec<u8>>,
}

/// The blob of these parts, from the cache or joined. One that does not match its hash counts as
/// missing.
async fn join(
    reader: &Reader,
    id: ContentHash,
    parts: Vec<BlobRow>,
    cached: Option<&Bytes>,
) -> Result<Option<Bytes>, sqlx::Error> {
    const BYTES: &str = "SELECT bytes FROM texts WHERE id = $1 AND part = $2";
    let length = parts.iter().map(|part| usize::try_from(part.length).unwrap_or_default()).sum();
    let mut joined = Vec::with_capacity(if cached.is_some() { 0 } else { length });
    let mut sum = Sha256::new();
    let mut pass = |bytes: &[u8]| {
        sum.update(bytes);
        if cached.is_none() {
            joined.extend_from_slice(bytes);
        }
    };
    for part in parts {
        match part.bytes {
            Some(bytes) => pass(&bytes),
            None => {
                let row = sqlx::query(BYTES)
                    .bind(id.to_string())
                    .bind(part.number)
                    .fetch_one(&mut *reader.lock().await)
                    .await?;
                pass(row.try_get(0)?);
            }
        }
    }
    let digest: [u8; 32] = sum.finalize().into();
    Ok((id == digest.into()).then(|| cached.cloned().unwrap_or_else(|| joined.into())))
}
