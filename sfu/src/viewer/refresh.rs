//! A viewer's requests for a place to begin (FIR, RFC 5104 §4.3.1).

use std::time::Instant;

use super::keyframe_budget::KeyframeBudget;

/// What a viewer asked for by FIR. It asks for a keyframe to come, not for pictures that it lost: none that there was is an answer.
#[derive(Debug)]
pub(crate) struct RefreshRequests {
    /// The number of the last one, and of the layer's newest keyframe then.
    last: Option<(u8, u8, Option<u64>)>,
    budget: KeyframeBudget,
}

impl RefreshRequests {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            last: None,
            budget: KeyframeBudget::for_refreshes(now),
        }
    }

    /// Whether to ask for a keyframe of `layer`, whose newest one is `keyframe`. Who asks repeats a number until one comes (§4.3.1.2):
    /// after that a repetition, which was under way, asks for nothing.
    pub(crate) fn take(
        &mut self,
        now: Instant,
        number: u8,
        layer: u8,
        keyframe: Option<u64>,
    ) -> bool {
        let answered = self
            .last
            .is_some_and(|(last, of, before)| last == number && of == layer && keyframe > before);
        if answered || !self.budget.grant(now) {
            return false;
        }
        let repeated = self
            .last
            .is_some_and(|(last, of, _)| last == number && of == layer);
        if !repeated {
            self.last = Some((number, layer, keyframe));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_number_is_asked_for_until_a_keyframe_comes() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut requests = RefreshRequests::new(start);
        assert!(requests.take(at(0), 255, 0, Some(10)));
        assert!(requests.take(at(100), 255, 0, Some(10)));
        assert!(!requests.take(at(200), 255, 0, Some(90)));
        assert!(requests.take(at(2000), 0, 0, Some(90)));
        assert!(!requests.take(at(2100), 0, 0, Some(170)));
        // Of another layer.
        assert!(requests.take(at(2200), 0, 1, Some(300)));
    }

    #[test]
    fn a_keyframe_that_is_forgotten_is_no_answer() {
        let start = Instant::now();
        let mut requests = RefreshRequests::new(start);
        assert!(requests.take(start, 1, 0, Some(10)));
        assert!(requests.take(start, 1, 0, None));
        assert!(!requests.take(start, 1, 0, Some(50)));
    }

    #[test]
    fn who_needs_a_keyframe_each_two_seconds_gets_that_for_ever() {
        let start = Instant::now();
        let mut requests = RefreshRequests::new(start);
        for i in 0..1000_u32 {
            let now = start + Duration::from_millis(1600) * i;
            assert!(requests.take(now, i as u8, 0, Some(u64::from(i))), "{i}");
        }
    }
}
