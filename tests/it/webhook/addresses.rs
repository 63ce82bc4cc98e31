//! Every way to write an address that is not public: in the setting, and as what a name resolves
//! to.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use turnout::auth::SigningKey;
use turnout::webhook::{
    AddressPolicy, Failure, NotPublic, Outcome, PublicOnly, Sender, Target, WebhookConfig,
    is_public,
};

use super::receiver::{Answer, Receiver, SECRET};

/// Hosts that are not a host name to post to.
const HOSTS: [&str; 50] = [
    // Loopback, as it is and in every spelling of IPv4.
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "127.255.255.254",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0x7f.1",
    "0X7F.0x0.0x0.0x1",
    "017700000001",
    "0177.0.0.1",
    "0177.1",
    "00000177.0.0.01",
    "127.0.0.1.",
    "127.0.0.0x1",
    "%31%32%37.0.0.1",
    "127%2e0%2e0%2e1",
    "１２７.０.０.１",
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
    "0",
    "0.0.0.0",
    "0x0",
    // Other networks that no outside host can be in.
    "10.0.0.1",
    "10.1",
    "0xa000001",
    "012.1.2.3",
    "100.64.0.1",
    "169.254.169.254",
    "0xa9fea9fe",
    "2852039166",
    "172.16.0.1",
    "192.168.1.1",
    "3232235777",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "4294967295",
    // A public address must be given by a name, too.
    "93.184.215.14",
    // IPv6, mapped and plain.
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[fe80::1]",
    "[fd00::1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[2606:2800:21f:cb07:6820:80da:af6b:8b2c]",
];

/// Whole addresses that are refused for another reason than an IP address.
const URLS: [&str; 20] = [
    "",
    "hooks.example.com",
    "/hook",
    "https://",
    "https:///",
    "http://hooks.example.com",
    "HTTP://hooks.example.com",
    "ftp://hooks.example.com",
    "file:///etc/passwd",
    "gopher://hooks.example.com",
    "unix:/run/x",
    "https://user@hooks.example.com",
    "https://:pw@hooks.example.com",
    "https://hooks.example.com@127.0.0.1/",
    "https://hooks.example.com/#x",
    "https://hooks.example.com/#",
    "https://localhost",
    "https://LOCALHOST.:8443/x",
    "https://a.b.localhost/",
    "https://127.0.0.1:443\\@hooks.example.com/",
];

/// What a name must not resolve to: first, last and a middle address of each range.
const INSIDE: [&str; 77] = [
    "0.0.0.0",
    "0.255.255.255",
    "10.0.0.0",
    "10.12.34.56",
    "10.255.255.255",
    "100.64.0.0",
    "100.100.100.200",
    "100.127.255.255",
    "127.0.0.0",
    "127.0.0.1",
    "127.0.0.53",
    "127.0.1.1",
    "127.255.255.255",
    "169.254.0.0",
    "169.254.169.254",
    "169.254.170.2",
    "169.254.255.255",
    "172.16.0.0",
    "172.17.0.1",
    "172.31.255.255",
    "192.0.0.0",
    "192.0.0.170",
    "192.0.0.255",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.0",
    "192.168.0.1",
    "192.168.255.255",
    "198.18.0.0",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.7",
    "224.0.0.0",
    "224.0.0.251",
    "239.255.255.255",
    "240.0.0.0",
    "255.255.255.255",
    "::",
    "::1",
    "::2",
    "::127.0.0.1",
    "::10.0.0.1",
    "::ffff:0:0",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:8.8.8.8",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b::8.8.8.8",
    "64:ff9b:1::1",
    "100::1",
    "1fff:ffff::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:1ff:ffff::1",
    "2001:db8::1",
    "2001:db8:ffff::1",
    "2002::1",
    "2002:7f00:1::1",
    "2002:a00:1::1",
    "2002:c0a8:101::1",
    "3fff::1",
    "3fff:fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd12:3456:789a::1",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
];

/// Neighbours of those, which are public.
const OUTSIDE: [&str; 27] = [
    "1.0.0.0",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "93.184.215.14",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "191.255.255.255",
    "192.0.1.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2000::1",
    "2001:200::1",
    "2001:db7::1",
    "2001:db9::1",
    "2003::1",
    "2606:2800:21f:cb07:6820:80da:af6b:8b2c",
    "3ffe::1",
];

fn webhook_config(url: &str, reach: AddressPolicy) -> WebhookConfig {
    WebhookConfig {
        target: Target::parse(url, reach).unwrap(),
        key: SigningKey::of(SECRET.as_bytes()).unwrap(),
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap_or_else(|_| panic!("{text} is no address"))
}

/// Names that resolve as a test wants: to each of its answers in turn, then to the last for ever.
#[derive(Clone)]
struct Leads {
    answers: Arc<Vec<Vec<IpAddr>>>,
    asked: Arc<AtomicUsize>,
}

impl Leads {
    fn to(answers: Vec<Vec<IpAddr>>) -> Leads {
        Leads { answers: Arc::new(answers), asked: Arc::default() }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Resolve for Leads {
    fn resolve(&self, _: Name) -> Resolving {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = self.answers[asked.min(self.answers.len() - 1)].clone();
        Box::pin(async move {
            Ok(Box::new(answer.into_iter().map(|ip| SocketAddr::new(ip, 0))) as Addrs)
        })
    }
}

async fn resolve(names: &impl Resolve) -> Result<Vec<IpAddr>, NotPublic> {
    match names.resolve("hooks.example.com".parse().unwrap()).await {
        Ok(found) => Ok(found.map(|address| address.ip()).collect()),
        Err(error) => Err(*error.downcast::<NotPublic>().unwrap()),
    }
}

#[test]
fn no_spelling_of_an_ip_address_is_accepted_as_a_webhook() {
    for host in HOSTS {
        for url in [
            format!("https://{host}/hook"),
            format!("https://{host}:8443"),
            format!(" https:\\\\{host}\\ "),
        ] {
            let error = Target::parse(&url, AddressPolicy::Public).expect_err(&url);
            assert_eq!(error.to_string(), "write the receiver's name, not an IP address", "{url}");
        }
    }
    for url in URLS {
        let error = Target::parse(url, AddressPolicy::Public).expect_err(url).to_string();
        assert!(!error.contains("//hooks.example.com@") && !error.contains("pw"), "{error}");
    }
    for url in [
        "https://hooks.example.com",
        "https://xn--bcher-kva.example:8443/a?b=c",
        "https://1.2.3.4.example.com/",
    ] {
        assert!(Target::parse(url, AddressPolicy::Public).is_ok(), "{url}");
    }
}

#[tokio::test]
async fn no_host_name_leads_the_webhook_to_an_internal_address() {
    for inside in INSIDE.map(ip) {
        assert!(!is_public(inside), "{inside}");
        // Alone, and hidden on either side of a public one.
        let public = ip("93.184.215.14");
        for answer in
            [vec![inside], vec![public, inside], vec![inside, public], vec![public, public, inside]]
        {
            let names = PublicOnly(Leads::to(vec![answer.clone()]));
            assert_eq!(resolve(&names).await, Err(NotPublic(inside)), "{answer:?}");
        }
    }
    for outside in OUTSIDE.map(ip) {
        assert!(is_public(outside), "{outside}");
        assert_eq!(resolve(&PublicOnly(Leads::to(vec![vec![outside]]))).await, Ok(vec![outside]));
    }
}

/// A name that is public when it is checked, and leads inside when it is connected to.
#[tokio::test]
async fn a_host_name_that_changes_its_address_reaches_no_internal_one() {
    let receiver = Receiver::start(Answer::Status(200)).await;
    let port = receiver.address.port();
    let (public, inside) = (ip("93.184.215.14"), ip("127.0.0.1"));
    for answers in [
        vec![vec![public], vec![inside]],
        vec![vec![public], vec![public, inside]],
        vec![vec![public], vec![ip("::ffff:127.0.0.1")]],
    ] {
        let names = Leads::to(answers);
        assert_eq!(resolve(&PublicOnly(names.clone())).await, Ok(vec![public]), "the first look");
        let mut sender = Sender::new(
            webhook_config(&format!("https://hooks.example.com:{port}/"), AddressPolicy::Public),
            names.clone(),
        );
        for tries in 1..4 {
            let failure = sender.post("a/1", "{}".into()).await.unwrap_err();
            assert!(
                matches!(failure, Failure::NotPublic(_)) && failure.outcome() == Outcome::NotPublic,
                "{failure:?}"
            );
            assert_eq!(names.asked(), 1 + tries, "it is asked at every connection");
        }
        assert!(failure_says_where(&mut sender).await);
    }
    assert!(receiver.came().is_empty() && receiver.connections() == 0);

    // Without the check the same names do lead there.
    let mut sender = Sender::new(
        webhook_config(&format!("http://hooks.example.com:{port}/"), AddressPolicy::Anywhere),
        Leads::to(vec![vec![inside]]),
    );
    sender.post("a/1", "{}".into()).await.unwrap();
    assert_eq!((receiver.came().len(), receiver.connections()), (1, 1));
}

async fn failure_says_where(sender: &mut Sender<Leads>) -> bool {
    let failure = sender.post("a/1", "{}".into()).await.unwrap_err().to_string();
    failure.starts_with("its name leads to ") && failure.ends_with("which is not a public address")
}
