//! Project Wycheproof's vectors, against the primitives of the library that envelopes are sealed with.

use aws_lc_rs::aead::{
    AES_256_GCM, AES_256_GCM_SIV, Aad, Algorithm, LessSafeKey, Nonce, UnboundKey,
};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use wycheproof::{TestResult, aead, hkdf, mac};

/// Opens and seals each vector for keys of 256 bits and nonces of 96; how many there were.
fn check_aead(name: aead::TestName, algorithm: &'static Algorithm) -> usize {
    let set = aead::TestSet::load(name).unwrap();
    let groups = set
        .test_groups
        .iter()
        .filter(|group| (group.key_size, group.nonce_size, group.tag_size) == (256, 96, 128));
    let mut count = 0;
    for test in groups.flat_map(|group| &group.tests) {
        let key = || LessSafeKey::new(UnboundKey::new(algorithm, &test.key).unwrap());
        let nonce = || Nonce::try_assume_unique_for_key(&test.nonce).unwrap();
        let mut sealed = [&test.ct[..], &test.tag[..]].concat();
        let opened = key().open_in_place(nonce(), Aad::from(&test.aad[..]), &mut sealed);
        let is_valid = test.result != TestResult::Invalid;
        assert_eq!(
            opened.ok().as_deref(),
            is_valid.then_some(&test.pt[..]),
            "{name:?} {}",
            test.tc_id
        );
        if is_valid {
            let mut body = test.pt.to_vec();
            let aad = Aad::from(&test.aad[..]);
            key()
                .seal_in_place_append_tag(nonce(), aad, &mut body)
                .unwrap();
            assert_eq!(
                body,
                [&test.ct[..], &test.tag[..]].concat(),
                "{name:?} {}",
                test.tc_id
            );
        }
        count += 1;
    }
    count
}

#[test]
fn aes_256_gcm() {
    assert!(check_aead(aead::TestName::AesGcm, &AES_256_GCM) > 50);
}

#[test]
fn aes_256_gcm_siv() {
    assert!(check_aead(aead::TestName::AesGcmSiv, &AES_256_GCM_SIV) > 50);
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

#[test]
fn hkdf_sha_256() {
    let set = hkdf::TestSet::load(hkdf::TestName::HkdfSha256).unwrap();
    let mut count = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let root = Salt::new(HKDF_SHA256, &test.salt).extract(&test.ikm);
        let mut okm = vec![0; test.size];
        let info = [&test.info[..]];
        let done = root
            .expand(&info, Length(test.size))
            .and_then(|all| all.fill(&mut okm));
        assert_eq!(
            done.is_ok(),
            test.result != TestResult::Invalid,
            "{}",
            test.tc_id
        );
        assert!(done.is_err() || okm == test.okm[..], "{}", test.tc_id);
        count += 1;
    }
    assert!(count > 50);
}

#[test]
fn hmac_sha_256() {
    let set = mac::TestSet::load(mac::TestName::HmacSha256).unwrap();
    let mut count = 0;
    for group in set.test_groups.iter().filter(|group| group.tag_size == 256) {
        for test in &group.tests {
            let key = hmac::Key::new(HMAC_SHA256, &test.key);
            let verified = hmac::verify(&key, &test.msg, &test.tag).is_ok();
            assert_eq!(
                verified,
                test.result != TestResult::Invalid,
                "{}",
                test.tc_id
            );
            count += 1;
        }
    }
    assert!(count > 50);
}
