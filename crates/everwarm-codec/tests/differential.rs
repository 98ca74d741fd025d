//! Envelopes sealed and opened by a second implementation, RustCrypto's, from what `docs/reference/envelope.md` says.

mod samples;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use aes_gcm_siv::Aes256GcmSiv;
use bytes::Bytes;
use everwarm_codec::suite::Suite;
use everwarm_core::codec::{Binding, Codec, Opened, Refusal};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use proptest::collection::vec;
use proptest::prelude::*;
use samples::{full_meta, master};
use sha2::Sha256;

const HEADER: usize = 16;

fn joined(fields: &[&[u8]]) -> Vec<u8> {
    let sized = |field: &&[u8]| [&(field.len() as u32).to_le_bytes(), *field].concat();
    fields.iter().flat_map(sized).collect()
}

fn associated(header: &[u8], binding: &Binding<'_>) -> Vec<u8> {
    let Binding {
        tenant,
        namespace,
        function,
        schema,
        key,
    } = *binding;
    joined(&[
        header,
        tenant,
        namespace.as_bytes(),
        function.as_bytes(),
        schema.as_bytes(),
        key,
    ])
}

/// The key of a purpose, from the master key that is made of one byte.
fn derived(byte: u8, purpose: &str, binding: &Binding<'_>) -> [u8; 32] {
    let tree = Hkdf::<Sha256>::new(Some(b"everwarm/kdf/v1"), &[byte; 32]);
    let mut key = [0; 32];
    let info = joined(&[
        purpose.as_bytes(),
        binding.tenant,
        binding.namespace.as_bytes(),
    ]);
    tree.expand(&info, &mut key).unwrap();
    key
}

/// The key of a message and its commitment.
fn message(suite: Suite, salt: &[u8], binding: &Binding<'_>) -> ([u8; 32], [u8; 32]) {
    let parent = derived(7, suite.name(), binding);
    let mut both = [0; 64];
    let info = [b"msg/v1", salt].concat();
    Hkdf::<Sha256>::from_prk(&parent)
        .unwrap()
        .expand(&info, &mut both)
        .unwrap();
    let (key, commitment) = both.split_at(32);
    (key.try_into().unwrap(), commitment.try_into().unwrap())
}

fn encrypt(suite: Suite, key: &[u8; 32], msg: &[u8], aad: &[u8]) -> Vec<u8> {
    let (payload, nonce) = (Payload { msg, aad }, Nonce::default());
    match suite {
        Suite::AesGcmSiv => Aes256GcmSiv::new(&(*key).into())
            .encrypt(&nonce, payload)
            .unwrap(),
        _ => Aes256Gcm::new(&(*key).into())
            .encrypt(&nonce, payload)
            .unwrap(),
    }
}

fn decrypt(suite: Suite, key: &[u8; 32], msg: &[u8], aad: &[u8]) -> Vec<u8> {
    let (payload, nonce) = (Payload { msg, aad }, Nonce::default());
    match suite {
        Suite::AesGcmSiv => Aes256GcmSiv::new(&(*key).into())
            .decrypt(&nonce, payload)
            .unwrap(),
        _ => Aes256Gcm::new(&(*key).into())
            .decrypt(&nonce, payload)
            .unwrap(),
    }
}

fn mac(header: &[u8], body: &[u8], binding: &Binding<'_>) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&derived(7, "mac", binding)).unwrap();
    mac.update(&associated(header, binding));
    mac.update(body);
    mac.finalize().into_bytes().to_vec()
}

/// The body that a plain suite shows of a value.
fn plain_body(binding: &Binding<'_>, payload: &[u8]) -> Vec<u8> {
    let plain = samples::pipeline(Suite::Checksum);
    plain.seal(binding, &full_meta(), payload).unwrap()[48..].to_vec()
}

fn header(suite: Suite, body: &[u8]) -> Vec<u8> {
    let mut header = vec![0xc1, b'E', b'W', 1, suite.number(), 0, 0, 0];
    header.extend(master(7).id().to_le_bytes());
    header.extend((body.len() as u32).to_le_bytes());
    header
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn both_implementations_agree(
        payload in vec(any::<u8>(), 0..2000),
        (tenant, key) in (vec(any::<u8>(), 0..20), vec(any::<u8>(), 0..300)),
        (namespace, function, schema) in ("\\PC{0,20}", "\\PC{0,300}", "[0-9a-f]{0,16}"),
        salt: [u8; 32],
        suite in proptest::sample::select(vec![Suite::AesGcm, Suite::AesGcmSiv]),
    ) {
        let binding = Binding { tenant: &tenant, namespace: &namespace, function: &function, schema: &schema, key: &key };
        let pipeline = samples::pipeline(suite);
        let body = plain_body(&binding, &payload);

        let envelope = pipeline.seal(&binding, &full_meta(), &payload).unwrap();
        let (message_key, commitment) = message(suite, &envelope[16..48], &binding);
        prop_assert_eq!(&envelope[..HEADER], header(suite, &body));
        prop_assert_eq!(&envelope[48..80], commitment);
        let aad = associated(&envelope[..HEADER], &binding);
        prop_assert_eq!(decrypt(suite, &message_key, &envelope[80..], &aad), &body[..]);

        let (message_key, commitment) = message(suite, &salt, &binding);
        let header = header(suite, &body);
        let sealed = encrypt(suite, &message_key, &body, &associated(&header, &binding));
        let theirs = Bytes::from([&header[..], &salt, &commitment, &sealed].concat());
        let expected = Opened { meta: full_meta(), payload: payload.clone().into() };
        prop_assert_eq!(pipeline.open(&binding, &theirs), Ok(expected));
    }

    #[test]
    fn both_implementations_authenticate_alike(
        payload in vec(any::<u8>(), 0..2000),
        (tenant, key) in (vec(any::<u8>(), 0..20), vec(any::<u8>(), 0..300)),
    ) {
        let binding = Binding { tenant: &tenant, key: &key, ..samples::BINDING };
        let body = plain_body(&binding, &payload);
        let header = header(Suite::Mac, &body);
        let theirs = [&header[..], &mac(&header, &body, &binding), &body].concat();
        let ours = samples::pipeline(Suite::Mac).seal(&binding, &full_meta(), &payload).unwrap();
        prop_assert_eq!(ours, theirs);
    }
}

#[test]
fn the_number_of_a_key_is_derived_as_is_said() {
    for byte in 0..20 {
        let nobody = Binding {
            tenant: b"",
            namespace: "",
            ..samples::BINDING
        };
        let key = derived(byte, "key-id", &nobody);
        assert_eq!(master(byte).id().to_le_bytes(), key[..4]);
    }
}

#[test]
fn a_ciphertext_without_its_commitment_does_not_open() {
    let pipeline = samples::pipeline(Suite::AesGcm);
    let body = plain_body(&samples::BINDING, b"payload");
    let (salt, header) = ([9; 32], header(Suite::AesGcm, &body));
    let (key, mut commitment) = message(Suite::AesGcm, &salt, &samples::BINDING);
    let sealed = encrypt(
        Suite::AesGcm,
        &key,
        &body,
        &associated(&header, &samples::BINDING),
    );
    commitment[31] ^= 1;
    let envelope = Bytes::from([&header[..], &salt, &commitment, &sealed].concat());
    let opened = pipeline.open(&samples::BINDING, &envelope);
    assert_eq!(opened, Err(Refusal::Tampered));
}
