//! The STUN server side of connectivity checks (RFC 8489, RFC 8445 §7.3). Stateless: what a request means for the
//! session is decided in [`super::IceLite`].

use std::{net::SocketAddr, str};

use rtc_stun::{
    attributes::{
        ATTR_FINGERPRINT, ATTR_ICE_CONTROLLED, ATTR_MESSAGE_INTEGRITY, ATTR_PRIORITY,
        ATTR_USE_CANDIDATE, ATTR_USERNAME, AttrType, RawAttribute,
    },
    crypto::providers::AwsLcRsCrypto,
    error_code::{
        CODE_BAD_REQUEST, CODE_ROLE_CONFLICT, CODE_UNAUTHORIZED, CODE_UNKNOWN_ATTRIBUTE, ErrorCode,
    },
    fingerprint::FINGERPRINT,
    integrity::MessageIntegrity,
    message::{
        BINDING_ERROR, BINDING_REQUEST, BINDING_SUCCESS, CLASS_INDICATION, METHOD_BINDING, Message,
        Setter,
    },
    uattrs::UnknownAttributes,
    xoraddr::XorMappedAddress,
};

use crate::IceCredentials;

const HEADER_LEN: usize = 20;
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

/// Our half of the USERNAME of a STUN request, without checking anything: tells whose datagram it is.
///
/// `None` if it isn't STUN or has no user name. Doesn't allocate.
pub fn stun_ufrag(datagram: &[u8]) -> Option<&str> {
    let (header, mut attributes) = datagram.split_at_checked(HEADER_LEN)?;
    if header.get(4..8)? != MAGIC_COOKIE {
        return None;
    }
    while let Some((&[type_high, type_low, len_high, len_low], rest)) =
        attributes.split_first_chunk::<4>()
    {
        let len = usize::from(u16::from_be_bytes([len_high, len_low]));
        let value = rest.get(..len)?;
        if AttrType(u16::from_be_bytes([type_high, type_low])) == ATTR_USERNAME {
            let ours = value.split(|&byte| byte == b':').next()?;
            return str::from_utf8(ours).ok();
        }
        attributes = rest.get(len.next_multiple_of(4)..)?;
    }
    None
}

/// A binding request whose sender knows the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Check {
    /// Which of the credentials it was made with.
    pub(crate) generation: usize,
    /// The peer nominates this path.
    pub(crate) use_candidate: bool,
    /// How much the peer likes this path (RFC 8445 §7.1.1).
    pub(crate) priority: u32,
}

/// Why a STUN datagram changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Not STUN, or without a correct FINGERPRINT: there is nothing to answer.
    Malformed,
    /// A keepalive, or a response to nothing we asked. Neither is answered.
    NotARequest,
    /// No user name, no integrity, or wrong ones.
    Unauthenticated,
    /// Authentic, but it can't be served: the peer believes it is the controlled side, or wants what we don't know.
    Unserved,
}

/// What to send back, and what the request says.
pub(crate) struct Answer {
    pub(crate) response: Vec<u8>,
    pub(crate) check: Result<Check, Refusal>,
}

/// Answers `datagram`, which came from `source`, for a session with the given credentials (ours, the peer's), the
/// newest first.
pub(crate) fn answer(
    datagram: &[u8],
    source: SocketAddr,
    credentials: &[(IceCredentials, IceCredentials)],
) -> Result<Answer, Refusal> {
    let mut request = Message::new();
    request
        .unmarshal_binary(datagram)
        .map_err(|_| Refusal::Malformed)?;
    FINGERPRINT
        .check(&request)
        .map_err(|_| Refusal::Malformed)?;
    if request.typ.class == CLASS_INDICATION && request.typ.method == METHOD_BINDING {
        return Err(Refusal::NotARequest);
    }
    if request.typ != BINDING_REQUEST {
        return Err(Refusal::NotARequest);
    }
    let generation = match authenticate(&mut request, credentials) {
        Ok(generation) => generation,
        Err(code) => {
            // Unauthenticated, so without integrity (RFC 8489 §9.1.3). Shorter than any request that could draw it.
            let response = respond(&request, None, BINDING_ERROR, &[&code])?;
            return Ok(Answer {
                response,
                check: Err(Refusal::Unauthenticated),
            });
        }
    };
    let (local, _) = &credentials[generation];
    let key = Some(local.pwd.as_str());
    let covered = covered_by_integrity(&request);
    if let Some(unknown) = unknown_attributes(covered) {
        let response = respond(
            &request,
            key,
            BINDING_ERROR,
            &[&CODE_UNKNOWN_ATTRIBUTE, &unknown],
        )?;
        return Ok(Answer {
            response,
            check: Err(Refusal::Unserved),
        });
    }
    if find(covered, ATTR_ICE_CONTROLLED).is_some() {
        // A lite agent is always the controlled one, so it is the peer that must switch (RFC 8445 §7.3.1.1).
        let response = respond(&request, key, BINDING_ERROR, &[&CODE_ROLE_CONFLICT])?;
        return Ok(Answer {
            response,
            check: Err(Refusal::Unserved),
        });
    }
    let check = Check {
        generation,
        use_candidate: find(covered, ATTR_USE_CANDIDATE).is_some(),
        priority: find(covered, ATTR_PRIORITY)
            .and_then(|attribute| attribute.value.first_chunk::<4>())
            .map_or(0, |bytes| u32::from_be_bytes(*bytes)),
    };
    let mapped = XorMappedAddress {
        ip: source.ip(),
        port: source.port(),
    };
    let response = respond(&request, key, BINDING_SUCCESS, &[&mapped])?;
    Ok(Answer {
        response,
        check: Ok(check),
    })
}

/// Which of the credentials the request was made with (RFC 8489 §9.1.3), or the error to answer.
fn authenticate(
    request: &mut Message,
    credentials: &[(IceCredentials, IceCredentials)],
) -> Result<usize, ErrorCode> {
    if find(&request.attributes.0, ATTR_MESSAGE_INTEGRITY).is_none() {
        return Err(CODE_BAD_REQUEST);
    }
    let username = find(covered_by_integrity(request), ATTR_USERNAME).ok_or(CODE_BAD_REQUEST)?;
    let generation = credentials
        .iter()
        .position(|(local, remote)| names(&username.value, &local.ufrag, &remote.ufrag))
        .ok_or(CODE_UNAUTHORIZED)?;
    let key = credentials[generation].0.pwd.as_bytes();
    MessageIntegrity::check(request, key, &AwsLcRsCrypto).map_err(|_| CODE_UNAUTHORIZED)?;
    Ok(generation)
}

/// Whether a USERNAME is `local:remote` (RFC 8445 §7.2.2).
fn names(username: &[u8], local: &str, remote: &str) -> bool {
    username
        .strip_prefix(local.as_bytes())
        .and_then(|rest| rest.strip_prefix(b":"))
        == Some(remote.as_bytes())
}

/// The attributes before MESSAGE-INTEGRITY: those behind it anybody could have added (RFC 8489 §14.5).
fn covered_by_integrity(request: &Message) -> &[RawAttribute] {
    let attributes = &request.attributes.0;
    let end = attributes
        .iter()
        .position(|attribute| attribute.typ == ATTR_MESSAGE_INTEGRITY);
    &attributes[..end.unwrap_or(attributes.len())]
}

fn find(attributes: &[RawAttribute], wanted: AttrType) -> Option<&RawAttribute> {
    attributes.iter().find(|attribute| attribute.typ == wanted)
}

/// The attributes that must be understood and aren't (RFC 8489 §6.3.1).
fn unknown_attributes(attributes: &[RawAttribute]) -> Option<UnknownAttributes> {
    const KNOWN: [AttrType; 5] = [
        ATTR_USERNAME,
        ATTR_MESSAGE_INTEGRITY,
        ATTR_FINGERPRINT,
        ATTR_PRIORITY,
        ATTR_USE_CANDIDATE,
    ];
    /// So many fit the shortest datagrams; more than one tells the peer enough.
    const NAMED_AT_MOST: usize = 8;
    let unknown: Vec<AttrType> = attributes
        .iter()
        .map(|attribute| attribute.typ)
        .filter(|known| known.required() && !KNOWN.contains(known))
        .take(NAMED_AT_MOST)
        .collect();
    (!unknown.is_empty()).then_some(UnknownAttributes(unknown))
}

fn respond(
    request: &Message,
    key: Option<&str>,
    typ: rtc_stun::message::MessageType,
    attributes: &[&dyn Setter],
) -> Result<Vec<u8>, Refusal> {
    let write = |response: &mut Message| {
        response.set_type(typ);
        response.write_header();
        request.add_to(response)?;
        for attribute in attributes {
            attribute.add_to(response)?;
        }
        if let Some(key) = key {
            MessageIntegrity::new_raw_integrity_with_provider(key, &AwsLcRsCrypto)
                .add_to(response)?;
        }
        FINGERPRINT.add_to(response)
    };
    let mut response = Message::new();
    // Nothing of fixed size fails to be written; should it, no answer is the answer.
    write(&mut response).map_err(|_| Refusal::Unserved)?;
    Ok(response.raw)
}
