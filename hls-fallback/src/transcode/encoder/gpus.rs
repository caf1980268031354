//! The machine's GPUs: which there are, how busy they are, and on which a rendition is encoded.

use std::{
    fs,
    path::Path,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    time::Instant,
};

use spillway_cuda::{Address, Meters};

use super::{EncodeError, placement::Placement};

/// They are the machine's, whatever the broadcast.
static ALL: Gpus = Gpus::new();

/// What this process has on GPUs, and what it knows of them.
#[derive(Debug)]
struct Gpus {
    placement: Mutex<Placement>,
    /// None where nothing can be measured.
    measure: OnceLock<Option<Measure>>,
}

#[derive(Debug)]
struct Measure {
    meters: Meters,
    /// By the numbers that CUDA has for them.
    gpus: Vec<Address>,
}

/// A rendition's place on a GPU, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    of: &'static Gpus,
    gpu: usize,
    began: Instant,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.of.placement().give_back(self.gpu, self.began);
    }
}

impl Gpus {
    const fn new() -> Self {
        Self {
            placement: Mutex::new(Placement::new()),
            measure: OnceLock::new(),
        }
    }

    fn placement(&self) -> MutexGuard<'_, Placement> {
        self.placement
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Those that have room, best first, as they are measured now.
    fn order(&self, gpus: usize, near: Option<usize>) -> Vec<usize> {
        let measure = (gpus > 0).then(|| self.measure.get_or_init(Measure::begin).as_ref());
        let readings: Vec<_> = (0..gpus).map(|gpu| measure.flatten()?.read(gpu)).collect();
        let mut placement = self.placement();
        placement.count(gpus);
        for (gpu, reading) in readings.into_iter().enumerate() {
            placement.measured(gpu, reading);
        }
        placement.order(near, Instant::now())
    }

    fn on_one<T>(
        &'static self,
        gpus: usize,
        near: Option<usize>,
        mut open: impl FnMut(usize) -> Result<T, EncodeError>,
    ) -> Result<(Seat, T), EncodeError> {
        let mut last = if gpus == 0 {
            EncodeError::NoGpu
        } else {
            EncodeError::Full
        };
        for gpu in self.order(gpus, near) {
            let began = Instant::now();
            // Before it is opened, so that others who come at the same time count with it.
            self.placement().take(gpu, began);
            let seat = Seat {
                of: self,
                gpu,
                began,
            };
            match open(gpu) {
                Ok(encoder) => {
                    tracing::info!(gpu, "a GPU takes a rendition");
                    return Ok((seat, encoder));
                }
                Err(error) => {
                    tracing::info!(gpu, %error, "a GPU takes no rendition");
                    self.placement().refused(gpu, Instant::now());
                    last = error;
                }
            }
        }
        Err(last)
    }
}

impl Measure {
    fn begin() -> Option<Self> {
        let begun = Meters::load().and_then(|meters| {
            let gpus = spillway_cuda::gpus()?;
            Ok(Self { meters, gpus })
        });
        begun
            .inspect_err(|reason| {
                tracing::info!(%reason, "how busy GPUs are isn't known: renditions are counted instead");
            })
            .ok()
    }

    fn read(&self, gpu: usize) -> Option<spillway_cuda::Reading> {
        let read = self.meters.read(self.gpus.get(gpu)?);
        match read {
            Ok(reading) => {
                let (busy, sessions) = (reading.busy, reading.sessions);
                tracing::debug!(gpu, busy, sessions, "a GPU was measured");
                Some(reading)
            }
            Err(reason) => {
                tracing::debug!(gpu, %reason, "a GPU can't be measured");
                None
            }
        }
    }
}

/// Opens an encoder on a GPU: on the one that is `near`, where the pictures are, if it has room; else on the least busy, or on the next
/// where that one takes no more. What the last one said, where none does.
pub(super) fn on_one<T>(
    gpus: usize,
    near: Option<usize>,
    open: impl FnMut(usize) -> Result<T, EncodeError>,
) -> Result<(Seat, T), EncodeError> {
    ALL.on_one(gpus, near, open)
}

/// The least busy GPU, if any has room.
pub(in crate::transcode) fn best() -> Result<usize, EncodeError> {
    let gpus = count();
    let best = ALL.order(gpus, None).first().copied();
    best.ok_or(if gpus == 0 {
        EncodeError::NoGpu
    } else {
        EncodeError::Full
    })
}

/// NVIDIA's GPUs, by their devices: on Linux one for each, on Linux below Windows one for all.
pub(super) fn count() -> usize {
    // Those of the driver that isn't one.
    #[cfg(test)]
    if let Some(gpus) = std::env::var("FAKE_GPUS").ok().and_then(|n| n.parse().ok()) {
        return gpus;
    }
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

    fn gpus() -> &'static Gpus {
        Box::leak(Box::new(Gpus::new()))
    }

    #[test]
    fn renditions_spread_over_gpus_and_places_come_back() {
        let gpus = gpus();
        let open = |near| gpus.on_one(3, near, Ok).unwrap();
        let seats = [open(None), open(None), open(None)];
        assert_eq!(seats.each_ref().map(|(_, gpu)| *gpu), [0, 1, 2]);
        let (_near, gpu) = open(Some(1));
        assert_eq!(gpu, 1);
        let [first, ..] = seats;
        drop(first);
        assert_eq!(open(None).1, 0);
    }

    #[test]
    fn one_that_takes_no_more_is_followed_by_the_next_and_not_asked_again_soon() {
        let gpus = gpus();
        let mut asked = Vec::new();
        let (seat, opened) = gpus
            .on_one(2, Some(1), |gpu| {
                asked.push(gpu);
                match asked.len() {
                    1 => Err(EncodeError::NoGpu),
                    _ => Ok("open"),
                }
            })
            .unwrap();
        assert_eq!((opened, &asked[..]), ("open", &[1, 0][..]));
        assert_eq!(seat.gpu, 0);
        drop(seat);
        let failing = gpus.on_one(2, Some(1), |gpu| {
            assert_eq!(gpu, 0);
            Err::<(), _>(EncodeError::Missing("it"))
        });
        assert!(matches!(failing, Err(EncodeError::Missing("it"))));
        let full = gpus.on_one(2, None, |_| Ok(()));
        assert!(matches!(full, Err(EncodeError::Full)));
        let none = gpus.on_one(0, None, |_| Ok(()));
        assert!(matches!(none, Err(EncodeError::NoGpu)));
    }

    #[test]
    fn gpus_are_counted_by_their_devices() {
        let names = ["nvidia0", "nvidia11", "nvidiactl", "nvidia-uvm", "null"];
        assert_eq!(count_in(&names.map(str::to_owned)), 2);
    }
}
