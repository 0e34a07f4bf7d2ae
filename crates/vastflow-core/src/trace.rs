//! Where runs and their calls stand among traces: ids that follow from what is recorded, so that whoever goes on with a run
//! goes on with its trace.

use crate::id::{RunId, ScopeId, Task};
use crate::time::Timestamp;
use core::fmt;
use core::hash::{Hash, Hasher};

/// A place in a trace, as W3C's `traceparent` has it.
///
/// ```
/// use vastflow_core::{RunId, TraceContext};
///
/// let caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// let run = RunId::new("order-7")?;
/// let own = TraceContext::of_run(&run, Some(caller));
/// // The run is a span of its own in its caller's trace, the same one wherever it is asked for.
/// assert_eq!(own.trace_id, 0x0af7651916cd43dd8448eb211c80319c);
/// assert_ne!(own.span_id, 0xb7ad6b7169203331);
/// assert_eq!(own, TraceContext::of_run(&run, Some(caller)));
/// assert_eq!(TraceContext::parse(&own.to_string()), Some(own));
/// # Ok::<(), vastflow_core::id::InvalidId>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceContext {
    /// The trace; never 0.
    pub trace_id: u128,
    /// The span in it; never 0.
    pub span_id: u64,
    /// Bit 0: whether it is sampled.
    pub flags: u8,
}

impl TraceContext {
    /// Reads a `traceparent`; none when it is not one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let mut part = |len| parts.next().filter(|part| part.len() == len && part.bytes().all(is_lower_hex));
        let (version, trace, span, flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
        // Later versions may say more behind these; this one may not.
        let is_known = version != "ff" && (version != "00" || parts.next().is_none());
        let trace_id = u128::from_str_radix(trace, 16).ok().filter(|id| *id != 0 && is_known)?;
        let span_id = u64::from_str_radix(span, 16).ok().filter(|id| *id != 0)?;
        Some(TraceContext { trace_id, span_id, flags: u8::from_str_radix(flags, 16).ok()? })
    }

    /// The span of a run: in the trace that it was started with, or in one of its own.
    #[must_use]
    pub fn of_run(run: &RunId, given: Option<&str>) -> Self {
        let span_id = Hash64::new(0).text(run).end();
        match given.and_then(TraceContext::parse) {
            Some(caller) => TraceContext { span_id, ..caller },
            None => {
                let half = |salt| u128::from(Hash64::new(salt).text(run).end());
                TraceContext { trace_id: half(1) << 64 | half(2), span_id, flags: 1 }
            }
        }
    }

    /// The span of a call in the run whose span this is. Calls that answer the same task at different times, or were made
    /// by different callers, have different ones.
    #[must_use]
    pub fn of_call(self, scope: &ScopeId, task: Task, (by, at): (u64, Timestamp)) -> Self {
        let mut hash = Hash64::new(by ^ 3).text(scope.run()).text(scope.path());
        task.hash(&mut hash);
        at.hash(&mut hash);
        TraceContext { span_id: hash.end(), ..self }
    }

    /// Whether it is sampled.
    #[must_use]
    pub const fn is_sampled(self) -> bool {
        self.flags & 1 == 1
    }
}

const fn is_lower_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, self.flags)
    }
}

/// FNV-1a, mixed at its end.
struct Hash64(u64);

impl Hash64 {
    const fn new(salt: u64) -> Self {
        Hash64(0xcbf2_9ce4_8422_2325 ^ salt.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn text(mut self, text: &str) -> Self {
        self.write(text.as_bytes());
        // No text is the beginning of another.
        self.write(&[0xff]);
        self
    }

    /// The hash, which is not 0.
    fn end(self) -> u64 {
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31).max(1)
    }
}

impl Hasher for Hash64 {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::NodeIx;
    use alloc::string::ToString;

    const GIVEN: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

    #[test]
    fn what_is_no_traceparent_is_told_from_one() {
        assert_eq!(TraceContext::parse(GIVEN).unwrap().to_string(), GIVEN);
        assert!(!TraceContext::parse(GIVEN).unwrap().is_sampled());
        let later = GIVEN.replacen("00", "01", 1) + "-more";
        assert!(TraceContext::parse(&later).is_some());
        for wrong in [
            "",
            "00-1-2-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        ] {
            assert_eq!(TraceContext::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn runs_and_calls_have_spans_of_their_own() {
        let run = |id: &str| RunId::new(id).unwrap();
        let (a, b) = (TraceContext::of_run(&run("a"), None), TraceContext::of_run(&run("b"), None));
        assert!(a.trace_id != b.trace_id && a.span_id != b.span_id && a.is_sampled());
        let task = |attempt| Task::Attempt { node: NodeIx(0), attempt };
        let scope = ScopeId::root(run("a"));
        let at = |ms| Timestamp::from_millis(ms);
        let calls = [
            a.of_call(&scope, task(1), (0, at(1))),
            a.of_call(&scope, task(2), (0, at(1))),
            a.of_call(&scope, task(1), (0, at(2))),
            a.of_call(&scope, task(1), (7, at(1))),
            a.of_call(&scope.child(&crate::Name::new("n").unwrap(), "k"), task(1), (0, at(1))),
        ];
        for (i, one) in calls.iter().enumerate() {
            assert_eq!(one.trace_id, a.trace_id);
            assert!(calls[i + 1..].iter().all(|other| other.span_id != one.span_id) && one.span_id != a.span_id);
        }
        let joined = TraceContext::of_run(&run("a"), Some(GIVEN));
        assert_eq!((joined.span_id, joined.flags), (a.span_id, 0));
    }
}
