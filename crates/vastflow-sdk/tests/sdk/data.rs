//! Values and their bytes.

use crate::support::json;
use serde::Serialize;
use std::collections::BTreeMap;
use vastflow_core::limits::MAX_PAYLOAD_BYTES;
use vastflow_core::{Codec, Payload};
use vastflow_sdk::{Bytes, Data, DataError, Parts};

#[test]
fn values_come_back_as_they_were() {
    let value = (7_u32, Some("text".to_owned()), vec![true], BTreeMap::from([("k".to_owned(), 1.5)]));
    let payload = value.encode().unwrap();
    assert_eq!(payload.codec(), Codec::Json);
    assert_eq!(Data::decode(&payload), Ok(value));
}

#[test]
fn any_bytes_come_back_as_they_were() {
    for bytes in [vec![], (0..=255).collect(), b"not json {".to_vec(), "Übung".into(), vec![0; 100_000]] {
        let payload = Bytes::from(bytes.clone()).encode().unwrap();
        assert_eq!((payload.codec(), payload.bytes()), (Codec::Bytes, &bytes[..]));
        assert_eq!(&*Bytes::decode(&payload).unwrap(), &bytes[..]);
    }
}

#[test]
fn bytes_read_any_payload() {
    assert_eq!(Bytes::decode(&json(r#"{"a":1}"#)).unwrap().to_text(), r#"{"a":1}"#);
    assert_eq!(Bytes::from(vec![b'a', 0xff]).to_text(), "a\u{fffd}");
}

#[test]
fn foreign_bytes_become_ours_unchanged() {
    let foreign = bytes::Bytes::from_static(b"\0\xff");
    assert_eq!(Bytes::from(foreign), Bytes::from(vec![0, 255]));
}

#[test]
fn a_value_may_be_as_large_as_the_limit_and_no_larger() {
    assert!(Bytes::from(vec![0; MAX_PAYLOAD_BYTES]).encode().is_ok());
    let bytes = MAX_PAYLOAD_BYTES + 1;
    assert_eq!(Bytes::from(vec![0; bytes]).encode(), Err(DataError::TooLarge { bytes }));
    assert!("x".repeat(MAX_PAYLOAD_BYTES - 2).encode().is_ok(), "two quotes go around it");
    assert_eq!("x".repeat(MAX_PAYLOAD_BYTES - 1).encode(), Err(DataError::TooLarge { bytes }));
}

#[test]
fn errors_say_what_is_wrong_and_what_to_do() {
    #[derive(Debug, Serialize, serde::Deserialize)]
    struct Odd(BTreeMap<(u8, u8), u8>);

    let too_large = DataError::TooLarge { bytes: 2_000_000 };
    assert_eq!(
        too_large.to_string(),
        "the value has 2000000 bytes, the limit is 1048576 (MAX_PAYLOAD_BYTES): \
         write it to a file or a blob store and hand on where it is"
    );
    let missing = DataError::Missing { key: "vmId".into() };
    assert_eq!(missing.to_string(), "the context has no value under \"vmId\"");
    let not_a_number = u32::decode(&json("\"x\"")).unwrap_err().to_string();
    assert!(not_a_number.starts_with("the value is not a u32: invalid type: string \"x\""), "{not_a_number}");
    let odd = Odd(BTreeMap::from([((1, 2), 3)])).encode().unwrap_err().to_string();
    assert!(odd.ends_with("Odd cannot be written as JSON: key must be a string"), "{odd}");
    let list = Vec::<Option<String>>::decode(&json("1")).unwrap_err().to_string();
    assert!(list.starts_with("the value is not a Vec<Option<String>>: "), "{list}");
    assert!(u32::decode(&Payload::new(Codec::Bytes, &b"\xff"[..])).is_err());
}

#[test]
fn parts_are_found_by_name_and_keep_their_order() {
    let parts = Parts::new(vec![("b".into(), json("1")), ("a".into(), json("\"x\""))]);
    assert_eq!((parts.get::<u32>("b"), parts.get::<String>("a")), (Ok(1), Ok("x".to_owned())));
    assert_eq!(parts.names().collect::<Vec<_>>(), ["b", "a"]);
    assert_eq!((parts.len(), parts.is_empty(), parts.as_slice().len()), (2, false, 2));
    assert_eq!(parts.get::<u32>("c"), Err(DataError::Missing { key: "c".into() }));
    assert!(matches!(parts.get::<u32>("a"), Err(DataError::Decode { .. })));
}
