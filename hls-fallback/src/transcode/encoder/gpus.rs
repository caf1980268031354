//! The machine's GPUs, and how many renditions this process encodes on each.

use std::{
    fs,
    path::Path,
    sync::{Mutex, PoisonError},
};

use super::EncodeError;

/// Renditions on each GPU. They are the machine's, whatever the broadcast.
static TAKEN: Mutex<Taken> = Mutex::new(Taken(Vec::new()));

/// Renditions on each GPU, by its number; one that isn't there has none.
#[derive(Debug)]
struct Taken(Vec<usize>);

impl Taken {
    /// The GPU with the fewest, of those that weren't tried, and one more on it from now on. None if all were tried.
    fn take(&mut self, gpus: usize, tried: &[usize]) -> Option<usize> {
        if self.0.len() < gpus {
            self.0.resize(gpus, 0);
        }
        let gpu = (0..gpus)
            .filter(|gpu| !tried.contains(gpu))
            .min_by_key(|gpu| self.0[*gpu])?;
        self.0[gpu] += 1;
        Some(gpu)
    }
}

/// A rendition's place on a GPU, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Seat(usize);

impl Seat {
    fn take(gpus: usize, tried: &[usize]) -> Option<Self> {
        let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        taken.take(gpus, tried).map(Self)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        TAKEN.lock().unwrap_or_else(PoisonError::into_inner).0[self.0] -= 1;
    }
}

/// Opens an encoder on the GPU with the fewest renditions, or on the next where that one takes no more: how many sessions one has,
/// its driver alone knows. What the last one said, where none does.
pub(super) fn on_one<T>(
    gpus: usize,
    mut open: impl FnMut(usize) -> Result<T, EncodeError>,
) -> Result<(Seat, T), EncodeError> {
    let (mut tried, mut last) = (Vec::new(), EncodeError::NoGpu);
    while let Some(seat) = Seat::take(gpus, &tried) {
        match open(seat.0) {
            Ok(encoder) => return Ok((seat, encoder)),
            Err(error) => {
                tracing::info!(gpu = seat.0, %error, "a GPU takes no rendition");
                tried.push(seat.0);
                last = error;
            }
        }
    }
    Err(last)
}

/// NVIDIA's GPUs, by their devices: on Linux one for each, on Linux below Windows one for all.
pub(super) fn count() -> usize {
    let names: Vec<_> = fs::read_dir("/dev")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .collect();
    match count_in(&names) {
        0 if Path::new("/dev/dxg").exists() => 1,
        gpus => gpus,
    }
}

fn count_in(names: &[String]) -> usize {
    let is_gpu = |name: &&String| {
        name.strip_prefix("nvidia")
            .is_some_and(|number| number.parse::<u16>().is_ok())
    };
    names.iter().filter(is_gpu).count()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn renditions_spread_over_gpus_and_places_come_back() {
        let mut taken = Taken(vec![0, 2]);
        assert_eq!(taken.take(3, &[]), Some(0));
        assert_eq!(taken.take(3, &[]), Some(2));
        assert_eq!(taken.take(3, &[0]), Some(2));
        assert_eq!(taken.take(3, &[0, 2]), Some(1));
        assert_eq!(taken.take(3, &[0, 1, 2]), None);
        assert_eq!(taken.0, [1, 3, 2]);
    }

    #[test]
    fn one_that_takes_no_more_is_followed_by_the_next() {
        let mut asked = Vec::new();
        let (seat, opened) = on_one(2, |gpu| {
            asked.push(gpu);
            match asked.len() {
                1 => Err(EncodeError::NoGpu),
                _ => Ok("open"),
            }
        })
        .unwrap();
        assert_eq!(opened, "open");
        assert_eq!(asked.len(), 2);
        assert_eq!(seat.0, asked[1]);
        drop(seat);
        let failing = on_one(2, |_| Err::<(), _>(EncodeError::Missing("it")));
        assert!(matches!(failing, Err(EncodeError::Missing("it"))));
        assert!(matches!(on_one(0, |_| Ok(())), Err(EncodeError::NoGpu)));
    }

    #[test]
    fn gpus_are_counted_by_their_devices() {
        let names = ["nvidia0", "nvidia11", "nvidiactl", "nvidia-uvm", "null"];
        assert_eq!(count_in(&names.map(str::to_owned)), 2);
    }
}
