//! The other contender: libp2p's gossipsub over QUIC, as its own examples set it up.

use crate::pace::{BODY, Pace, Seen, commands, nanos};
use futures::StreamExt;
use libp2p::gossipsub::{
    Behaviour, ConfigBuilder, Event, IdentTopic, Message, MessageAuthenticity, MessageId,
    ValidationMode,
};
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, Swarm, SwarmBuilder, identity};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

pub fn topic() -> IdentTopic {
    IdentTopic::new("bench")
}

/// Defaults but for signatures, where they are left out: then there is no number of the sender's
/// either, and a message is named by what is in it.
pub fn behaviour(key: &identity::Keypair, signed: bool) -> Behaviour {
    let mut config = ConfigBuilder::default();
    let authenticity = match signed {
        true => MessageAuthenticity::Signed(key.clone()),
        false => {
            config.validation_mode(ValidationMode::Anonymous);
            config.message_id_fn(|message: &Message| {
                let mut hasher = DefaultHasher::new();
                message.data.hash(&mut hasher);
                MessageId::from(hasher.finish().to_be_bytes())
            });
            MessageAuthenticity::Anonymous
        }
    };
    let config = config.build().expect("a configuration");
    let mut behaviour = Behaviour::new(authenticity, config).expect("a behaviour");
    behaviour.subscribe(&topic()).expect("a subscription");
    behaviour
}

fn swarm(signed: &str) -> Swarm<Behaviour> {
    SwarmBuilder::with_existing_identity(identity::Keypair::generate_ed25519())
        .with_tokio()
        .with_quic()
        .with_behaviour(|key| Ok(behaviour(key, signed == "signed")))
        .expect("a behaviour")
        .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::from_secs(600)))
        .build()
}

pub async fn middle(signed: &str) {
    let mut swarm = swarm(signed);
    let any: Multiaddr = "/ip4/127.0.0.1/udp/0/quic-v1".parse().expect("an address");
    swarm.listen_on(any).expect("a socket");
    let _commands = commands();
    loop {
        if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
            println!("{address}");
        }
    }
}

/// A swarm that is in the mesh of the one in the middle.
async fn meshed(signed: &str, at: &str) -> Swarm<Behaviour> {
    let mut swarm = swarm(signed);
    let at: Multiaddr = at.parse().expect("an address");
    swarm.dial(at).expect("a dial");
    while swarm.behaviour().all_mesh_peers().count() == 0 {
        swarm.select_next_some().await;
    }
    println!("ready");
    swarm
}

pub async fn watcher(signed: &str, at: &str) {
    let mut swarm = meshed(signed, at).await;
    let (mut commands, mut seen) = (commands(), Seen::default());
    loop {
        tokio::select! {
            event = swarm.select_next_some() => {
                if let SwarmEvent::Behaviour(Event::Message { message, .. }) = event {
                    seen.came(&message.data);
                }
            }
            Some((name, numbers)) = commands.recv() => seen.answer(&name, &numbers),
        }
    }
}

pub async fn publisher(signed: &str, at: &str) {
    let mut swarm = meshed(signed, at).await;
    let (mut commands, mut pace) = (commands(), Pace::default());
    let mut random = [0; BODY];
    getrandom::fill(&mut random).expect("random bytes");
    loop {
        tokio::select! {
            biased;
            _ = swarm.select_next_some() => {}
            () = pace.wait() => {}
            Some((_, numbers)) = commands.recv() => pace.begin(&numbers),
        }
        // The library works only when it is asked to: not too much in one go.
        for _ in 0..16 {
            let Some(number) = pace.due() else {
                break;
            };
            let mut body = random.to_vec();
            body[..8].copy_from_slice(&(number as u64).to_le_bytes());
            let left = nanos();
            let published = swarm.behaviour_mut().publish(topic(), body);
            pace.sent(published.ok().map(|_| left));
        }
        if pace.all_sent() {
            pace.tell();
        }
    }
}
