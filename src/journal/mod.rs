//! The journal: opaque frames, durable before anything is said of them, in one order.
//!
//! # What it promises
//!
//! - A frame whose [`Durable`] has resolved is read back, byte for byte, after any crash: with
//!   [`Sync::Disk`] after a power cut too.
//! - Every frame that is read back was appended, once, under the sequence that it has.
//! - A write or a sync that fails is never repeated on the same file, since the second call may
//!   lie: the file is left as it is and what it may have lost is written again to the next one.
//! - Nothing is deleted but whole segments that retention names, and only files that we wrote.
//!
//! # On disk
//!
//! One directory for each process that writes at a time, `<journal>/<directory id>/`, named by 16
//! hexadecimal digits: the microsecond of its making, so that names sort by age.
//!
//! ```text
//! lock                 locked (flock) by the process that writes here
//! cursor               what has been acknowledged further on: see `cursor`
//! 0000000001.segment   frames; the number only ever rises
//! 0000000002.segment   the next one, zero-filled and synced ahead of need
//! ```
//!
//! A position is `<directory id>:<sequence>`. All integers are little-endian.
//!
//! ## Segment
//!
//! A segment is made of zeros, in full length, and synced with its directory before it is used:
//! a sync then has no extents to convert, which more than halves it. Its header is written
//! together with its first frames, so that beginning a segment costs no sync of its own.
//!
//! ```text
//! offset size
//!      0    8  magic "WAYPSEG1"
//!      8    8  directory id
//!     16    8  number, as in the name
//!     24    8  sequence of the first frame
//!     32    8  predecessor: the first segment whose end may be repeated here, 0 for none
//!     40    8  wall time of its beginning, µs since 1970
//!     48   12  zero
//!     60    4  CRC32C of bytes 0..60
//!     64       frames
//! ```
//!
//! ## Frame
//!
//! Frames follow each other, each padded with zeros to a multiple of 8 bytes, so that reading can
//! find the next one behind a damaged one.
//!
//! ```text
//! offset size
//!      0    4  magic "WPF1"
//!      4    4  CRC32C of directory id, segment number, then bytes 8.. to the end of the body
//!      8    4  length of the body, B
//!     12    2  length of the key, K
//!     14    1  stream: 1 events, 2 domains, 3 audits; 0 void, with neither key nor body
//!     15    1  zero
//!     16    8  sequence
//!     24    8  time, µs since 1970
//!     32   16  id
//!     48    4  behind: how many frames just before this one were not yet durable
//!     52    4  zero
//!     56    K  key
//!   56+K    B  body
//! ```
//!
//! The checksum holds the directory and the segment, so a frame in a copied or renamed file is
//! not a frame there.
//!
//! # Who writes, reads, deletes
//!
//! [`Appender`]s put frames into one bounded queue and get their sequence there. The writer
//! thread ([`writer`] decides, [`driver`] acts) takes all that is queued, writes it with one
//! call, syncs, and publishes the durable position. It writes whole blocks past the system's
//! memory, since what is written once and read seldom need not be copied there; the last block
//! is written again with what follows, beginning with the same bytes. The keeper thread ([`keeper`]) prepares the
//! next segment and deletes what retention names. A [`Reader`] has its own descriptor and reads
//! below the durable position only. A [watch] looks at the queue and tells while the disk does not
//! keep up: a thread that the disk holds cannot.
//!
//! # After a crash
//!
//! The writer has one unsynced batch at a time. Since each frame says how many before it were not
//! yet durable, reading a segment tells which frames are *proven* durable: those that a later
//! frame does not count as behind, and those before the first of a segment that was begun. What
//! is missing among the proven is damage, and counted. What follows the proven is the last batch:
//! it may have been acknowledged, or torn, in any of its sectors. All of it that is valid is
//! repeated at the beginning of a new segment, with a *void* in the place of each frame that is
//! not, which names the old segment as its predecessor, and is durable before anything new is
//! accepted. So recovery changes no old file, sequences stay dense, none is given twice, and the
//! same rule serves a segment whose sync failed. A segment that repeats may itself be torn, so
//! what it may repeat is read together with it. An overlap is accepted when the later segment
//! names the earlier one, or one before it, as predecessor and the bytes agree; otherwise the
//! later segment is refused: kept, not read, counted.
//!
//! A segment whose header cannot be read is read by the checksums of its frames, since only what
//! was written here can fit them. One of another directory, number or format is refused too. What
//! is refused is never deleted, takes nobody's room and stands in nobody's way.
//!
//! # Turns
//!
//! The writer's and the keeper's hands move by turns, each of which does one thing: a [`Crew`]
//! gives each a thread, or is moved by a simulation, which then runs the journal that ships.

mod adopted;
mod appender;
mod config;
mod crew;
mod cursor;
mod directory;
mod driver;
mod frame;
mod inspect;
mod intake;
mod keeper;
mod log;
mod measures;
mod missing;
mod overlap;
mod queue;
mod reader;
mod recovery;
mod report;
mod retention;
mod salvage;
mod scan;
mod segment;
mod sweeper;
mod watch;
mod writer;

pub use appender::{Appender, Claim, Durable};
pub use config::{Config, Keep, Sync};
pub use crew::{Call, Crew};
pub use cursor::Cursor;
pub use directory::{DirectoryId, Position, PositionError, directories};
pub use frame::{Frame, Stored, Stream};
pub use inspect::{end, inspect};
pub use intake::Intake;
pub use log::{Journal, OpenError};
pub use overlap::{Contradiction, Why};
pub use queue::Refused;
pub use reader::{ReadError, Reader};
pub use report::{Condition, Fault, Note, Report, SegmentReport};
