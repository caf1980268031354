//! The GPU where a broadcast's pictures are.

use std::{
    fmt::Display,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use spillway_cuda::{Device, Filter};

use super::encoder::{self, EncodeError, EncoderKind};

/// Contexts of CUDA, one for each GPU at most: each takes hundreds of megabytes of its memory.
static DEVICES: Mutex<Vec<Weak<Device>>> = Mutex::new(Vec::new());

/// A GPU's context: the one that there is already, if there is one.
pub(super) fn device(gpu: usize) -> Result<Arc<Device>, EncodeError> {
    let mut devices = DEVICES.lock().unwrap_or_else(PoisonError::into_inner);
    devices.retain(|device| device.strong_count() > 0);
    let known = devices.iter().filter_map(Weak::upgrade);
    if let Some(device) = known.into_iter().find(|device| device.gpu() == gpu) {
        return Ok(device);
    }
    let device = Arc::new(Device::open(gpu).map_err(EncodeError::Gpu)?);
    devices.push(Arc::downgrade(&device));
    Ok(device)
}

/// Where a broadcast's pictures are decoded and scaled, and its renditions encoded while there's room: on one GPU, from which they don't
/// come back, or in memory. Those share it who decode and who encode. A GPU that fails is left for the rest of the broadcast.
#[derive(Clone)]
pub(super) struct Home(Arc<Mutex<Place>>);

enum Place {
    /// It is looked for with the first picture: a broadcast that is passed through needs none.
    Unknown,
    On(Arc<Device>),
    Memory,
}

impl Home {
    /// On a GPU, if renditions are encoded there and libav has all that it takes.
    pub(super) fn new(kind: EncoderKind) -> Self {
        let place = if kind == EncoderKind::Nvenc {
            Place::Unknown
        } else {
            Place::Memory
        };
        Self(Arc::new(Mutex::new(place)))
    }

    /// None, where pictures are in memory.
    pub(super) fn device(&self) -> Option<Arc<Device>> {
        let mut place = self.place();
        if let Place::Unknown = *place {
            *place = match find() {
                Ok(device) => {
                    tracing::info!(
                        gpu = device.gpu(),
                        "pictures are decoded and scaled on a GPU"
                    );
                    Place::On(device)
                }
                Err(reason) => {
                    tracing::warn!(%reason, "pictures are decoded and scaled on the processor");
                    Place::Memory
                }
            };
        }
        match &*place {
            Place::On(device) => Some(device.clone()),
            Place::Unknown | Place::Memory => None,
        }
    }

    /// The GPU fails.
    pub(super) fn leave(&self, reason: &dyn Display) {
        let mut place = self.place();
        if let Place::On(device) = &*place {
            tracing::warn!(
                gpu = device.gpu(),
                %reason,
                "a GPU fails: the processor decodes and scales from here on"
            );
            *place = Place::Memory;
        }
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn find() -> Result<Arc<Device>, EncodeError> {
    if !Filter::is_there("scale_cuda") {
        return Err(EncodeError::MissingFilter("scale_cuda"));
    }
    device(encoder::best_gpu()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_on_the_processor_is_decoded_there() {
        for kind in [
            EncoderKind::X264,
            EncoderKind::Openh264,
            EncoderKind::NvidiaSdk,
        ] {
            assert!(Home::new(kind).device().is_none());
        }
    }

    /// Also where encoding on a GPU was asked for, which would have failed before.
    #[test]
    fn without_a_gpu_pictures_are_in_memory() {
        if encoder::best_gpu().is_err() {
            let home = Home::new(EncoderKind::Nvenc);
            assert!(home.device().is_none());
            home.leave(&"it is left already");
            assert!(home.device().is_none());
        }
    }
}
