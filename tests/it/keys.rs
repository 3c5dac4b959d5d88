//! Published keys (JWKS): fetched over HTTP, selected by key id, refreshed, and kept during an
//! outage of the issuer.

mod hostile;
mod service;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use jsonwebtoken::Algorithm;
use order_service::app::Error;
use order_service::auth::{
    self, KeyRefreshPolicy, KeysState, TokenError, VerificationKey, Verifier,
};
use order_service::metrics::Metrics;
use order_service::peers::{PeerLimits, PeerSettings, Peers};

use crate::support::issuer::{Issuer, asked, customer};
use crate::support::key_host::KeyHost;
use crate::support::service::eventually;

const HOUR: Duration = Duration::from_secs(3600);
/// Keys are fetched only for tokens, and once for each.
const QUIET: KeyRefreshPolicy = KeyRefreshPolicy {
    refresh_every: HOUR,
    stale_for: HOUR,
    min_interval: HOUR,
    max_wait: Duration::from_secs(20),
};

/// A verifier that uses the keys of this host.
fn verifier(host: &KeyHost, algorithm: &str, policy: KeyRefreshPolicy) -> Arc<Verifier> {
    let limits = PeerLimits {
        max_concurrent_calls: 32,
        breaker_failures: 10,
        breaker_cooldown: HOUR,
        queue_timeout: Duration::from_secs(5),
    };
    let settings = PeerSettings {
        inventory: host.url.clone(),
        payment: host.url.clone(),
        shipping: host.url.clone(),
        timeout: Duration::from_secs(20),
        connect_timeout: Duration::from_secs(5),
        limits,
    };
    let metrics = Arc::new(Metrics::new().unwrap());
    let peers = Peers::new(settings, metrics.clone()).unwrap();
    let asked = asked(&[
        ("JWT_JWKS_URL", host.url.as_str()),
        ("JWT_ALGORITHM", algorithm),
    ]);
    let settings = with_policy(asked, policy);
    let verifier = Verifier::new(&settings, metrics, |url| {
        Ok::<_, Error>(Arc::new(peers.issuer(url.clone())?))
    });
    Arc::new(verifier.unwrap())
}

fn with_policy(mut settings: auth::AuthSettings, other: KeyRefreshPolicy) -> auth::AuthSettings {
    if let VerificationKey::Published { policy, .. } = &mut settings.key {
        *policy = other;
    }
    settings
}

async fn refusal(verifier: &Verifier, token: &str) -> Option<TokenError> {
    verifier.verify(token).await.err()
}

#[tokio::test]
async fn every_algorithm_is_verified_with_published_keys() {
    for issuer in [Issuer::rs256(), Issuer::es256(), Issuer::eddsa()] {
        let host = KeyHost::start(&[issuer.jwk("one")]).await;
        let verifier = verifier(&host, issuer.algorithm, QUIET);
        let access = verifier.verify(&issuer.token_by("one")).await.unwrap();
        assert_eq!(access.principal.name, "5");
        // With a single key, a token need not name it.
        let nameless = issuer.token(&customer());
        assert_eq!(refusal(&verifier, &nameless).await, None);
        assert_eq!(host.asked(), 1, "{}", issuer.algorithm);
    }
}

#[tokio::test]
async fn only_the_configured_algorithm_is_accepted() {
    let (rs256, es256) = (Issuer::rs256(), Issuer::es256());
    let host = KeyHost::start(&[rs256.jwk("rsa"), es256.jwk("ec")]).await;
    let verifier = verifier(&host, "ES256", QUIET);
    assert_eq!(refusal(&verifier, &es256.token_by("ec")).await, None);
    for token in [
        rs256.token_by("rsa"),
        rs256.token_by("ec"),
        es256.token_by("rsa"),
    ] {
        assert_eq!(refusal(&verifier, &token).await, Some(TokenError::Invalid));
    }
}

#[tokio::test]
async fn a_token_is_verified_only_with_the_key_it_names() {
    let (one, two) = (Issuer::es256(), Issuer::es256());
    let host = KeyHost::start(&[one.jwk("one"), two.jwk("two")]).await;
    let verifier = verifier(&host, "ES256", QUIET);
    for token in [one.token_by("one"), two.token_by("two")] {
        assert_eq!(refusal(&verifier, &token).await, None);
    }
    let nameless = one.token(&customer());
    for token in [one.token_by("two"), two.token_by("one"), nameless] {
        assert_eq!(refusal(&verifier, &token).await, Some(TokenError::Invalid));
    }
    assert_eq!(host.asked(), 1);
}

#[tokio::test]
async fn new_keys_are_fetched_on_demand_and_withdrawn_ones_end() {
    let (old, new) = (Issuer::es256(), Issuer::es256());
    let host = KeyHost::start(&[old.jwk("old")]).await;
    let policy = KeyRefreshPolicy {
        min_interval: Duration::ZERO,
        ..QUIET
    };
    let verifier = verifier(&host, "ES256", policy);
    assert_eq!(refusal(&verifier, &old.token_by("old")).await, None);
    host.publish(&[old.jwk("old"), new.jwk("new")]);
    assert_eq!(refusal(&verifier, &new.token_by("new")).await, None);
    assert_eq!(refusal(&verifier, &old.token_by("old")).await, None);
    assert_eq!(host.asked(), 2);
    host.publish(&[new.jwk("new")]);
    let unknown = new.token_by("unknown");
    assert_eq!(
        refusal(&verifier, &unknown).await,
        Some(TokenError::Invalid)
    );
    let withdrawn = old.token_by("old");
    assert_eq!(
        refusal(&verifier, &withdrawn).await,
        Some(TokenError::Invalid)
    );
    // A key may change and keep its id.
    host.publish(&[old.jwk("new")]);
    assert_eq!(
        refusal(&verifier, &unknown).await,
        Some(TokenError::Invalid)
    );
    assert_eq!(refusal(&verifier, &old.token_by("new")).await, None);
}

#[tokio::test]
async fn concurrent_requests_share_one_key_fetch() {
    let (old, new) = (Issuer::es256(), Issuer::es256());
    let host = KeyHost::start(&[old.jwk("old")]).await;
    // The policy allows each of them to fetch.
    let policy = KeyRefreshPolicy {
        min_interval: Duration::ZERO,
        ..QUIET
    };
    let verifier = verifier(&host, "ES256", policy);
    assert_eq!(refusal(&verifier, &old.token_by("old")).await, None);
    host.publish(&[new.jwk("new")]);
    host.hold(true);
    let token = new.token_by("new");
    let storm = (0..100).map(|_| {
        let (verifier, token) = (verifier.clone(), token.clone());
        tokio::spawn(async move { verifier.verify(&token).await.err() })
    });
    let storm: Vec<_> = storm.collect();
    eventually("the host is asked", async || {
        (host.asked() == 2).then_some(())
    })
    .await;
    // The first request is aborted; the others still get their result.
    storm[0].abort();
    // A token of a known key does not wait.
    assert_eq!(refusal(&verifier, &old.token_by("old")).await, None);
    host.hold(false);
    for ended in join_all(storm).await.into_iter().skip(1) {
        assert_eq!(ended.unwrap(), None);
    }
    assert_eq!(host.asked(), 2);
}

#[tokio::test]
async fn unknown_key_ids_do_not_cause_fetches() {
    let issuer = Issuer::es256();
    let host = KeyHost::start(&[issuer.jwk("one")]).await;
    let verifier = verifier(&host, "ES256", QUIET);
    for name in 0..50 {
        let made_up = issuer.token_by(&name.to_string());
        let refused = refusal(&verifier, &made_up).await;
        assert_eq!(refused, Some(TokenError::Invalid));
    }
    assert_eq!(host.asked(), 1, "the first was the first fetch of all");

    let policy = KeyRefreshPolicy {
        min_interval: Duration::from_millis(50),
        ..QUIET
    };
    let verifier = self::verifier(&host, "ES256", policy);
    eventually("after the rest it is fetched again", async || {
        refusal(&verifier, &issuer.token_by("made up")).await;
        (host.asked() == 4).then_some(())
    })
    .await;
}

#[test]
fn key_fetches_for_tokens_are_thirty_seconds_apart() {
    let asked = asked(&[("JWT_JWKS_URL", "https://users.example/keys?p=1")]);
    let VerificationKey::Published {
        url,
        algorithm,
        policy,
    } = asked.key
    else {
        panic!("another key");
    };
    assert_eq!(url.as_str(), "https://users.example/keys?p=1");
    assert_eq!(algorithm, Algorithm::RS256);
    let seconds = [
        policy.min_interval,
        policy.refresh_every,
        policy.stale_for,
        policy.max_wait,
    ];
    assert_eq!(seconds.map(|time| time.as_secs()), [30, 300, 86_400, 5]);
}

#[tokio::test]
async fn keys_are_renewed_in_the_background() {
    let (old, new) = (Issuer::es256(), Issuer::es256());
    let host = KeyHost::start(&[old.jwk("old")]).await;
    let policy = KeyRefreshPolicy {
        refresh_every: Duration::from_millis(20),
        ..QUIET
    };
    let verifier = verifier(&host, "ES256", policy);
    let background = verifier.clone();
    let background = tokio::spawn(async move { background.keep_fresh().await });
    assert_eq!(refusal(&verifier, &old.token_by("old")).await, None);
    host.publish(&[new.jwk("new")]);
    eventually("the old key is withdrawn", async || {
        refusal(&verifier, &old.token_by("old")).await
    })
    .await;
    assert_eq!(refusal(&verifier, &new.token_by("new")).await, None);
    background.abort();
}

#[tokio::test]
async fn stale_keys_are_used_for_a_while_when_the_issuer_is_down() {
    let issuer = Issuer::es256();
    let token = issuer.token_by("one");
    for (stale_for, ends) in [(HOUR, false), (Duration::from_millis(200), true)] {
        let host = KeyHost::start(&[issuer.jwk("one")]).await;
        let policy = KeyRefreshPolicy {
            refresh_every: Duration::from_millis(20),
            stale_for,
            ..QUIET
        };
        let verifier = verifier(&host, "ES256", policy);
        assert_eq!(verifier.keys_state(), KeysState::Missing);
        let background = verifier.clone();
        let background = tokio::spawn(async move { background.keep_fresh().await });
        eventually("there are keys", async || {
            (verifier.keys_state() == KeysState::Ok).then_some(())
        })
        .await;
        host.fail(500);
        let fails_at = host.asked() + 20;
        eventually("it has failed often", async || {
            (host.asked() > fails_at).then_some(())
        })
        .await;
        if ends {
            eventually("the keys are too old", async || {
                (verifier.keys_state() == KeysState::Missing).then_some(())
            })
            .await;
            assert_eq!(refusal(&verifier, &token).await, Some(TokenError::NoKeys));
        } else {
            assert_eq!(verifier.keys_state(), KeysState::Stale);
            assert_eq!(refusal(&verifier, &token).await, None);
        }
        host.publish(&[issuer.jwk("one")]);
        eventually("all is well again", async || {
            (verifier.keys_state() == KeysState::Ok).then_some(())
        })
        .await;
        assert_eq!(refusal(&verifier, &token).await, None);
        background.abort();
    }
}

#[tokio::test]
async fn waiting_for_keys_times_out() {
    let issuer = Issuer::es256();
    let host = KeyHost::start(&[issuer.jwk("one")]).await;
    host.hold(true);
    let policy = KeyRefreshPolicy {
        max_wait: Duration::from_millis(50),
        ..QUIET
    };
    let verifier = verifier(&host, "ES256", policy);
    let token = issuer.token_by("one");
    for _ in 0..2 {
        assert_eq!(refusal(&verifier, &token).await, Some(TokenError::NoKeys));
    }
    // The fetch continued without the aborted requests.
    host.hold(false);
    eventually("the key is there", async || {
        match refusal(&verifier, &token).await {
            None => Some(()),
            Some(_) => None,
        }
    })
    .await;
    assert_eq!(host.asked(), 1);
}
