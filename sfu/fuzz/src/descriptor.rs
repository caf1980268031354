use spillway_sfu::rtp::dependency_descriptor::{
    DependencyDescriptor, Frame, attached_structure, set_active_targets, shift_frame_number,
};

/// Dependency descriptors: the input is one that may carry a structure, its length before it, and then others that refer
/// to that structure, each with its length before it.
pub fn descriptor(data: &[u8]) {
    let mut rest = data;
    let mut structure = None;
    while let Some((&length, behind)) = rest.split_first() {
        let (value, behind) = behind.split_at(usize::from(length).min(behind.len()));
        rest = behind;
        let Some(mandatory) = DependencyDescriptor::parse(value) else {
            continue;
        };
        if let Some(attached) = attached_structure(value) {
            assert!(mandatory.has_structure && !attached.targets.is_empty());
            structure = Some(attached);
        }
        let mut counted = value.to_vec();
        shift_frame_number(&mut counted, 7);
        let number = DependencyDescriptor::parse(&counted).map(|d| d.frame_number);
        assert_eq!(number, Some(mandatory.frame_number.wrapping_add(7)));
        let Some(structure) = &structure else {
            continue;
        };
        let active = structure.active_targets(1, 1);
        let mut out = [0; 300];
        let Some(length) = set_active_targets(value, active, &mut out) else {
            continue;
        };
        assert_eq!(
            attached_structure(&out[..length]),
            attached_structure(value),
            "the structure stays"
        );
        if let Some(frame) = Frame::parse(value, structure) {
            assert_eq!(
                Frame::parse(&out[..length], structure),
                Some(frame),
                "and so does the frame"
            );
        }
    }
}
