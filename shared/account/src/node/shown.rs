//! What an account shows of itself, and what its contacts do: the profiles of slot 2. PROTOCOL.md
//! section 4.
//!
//! Invariant: of two states of one profile the later holds, whichever way they come.

use super::cx::Cx;
use super::found::Looked;
use super::model::{RowKey, Who};
use super::open::Open;
use super::{problems, views};
use crate::api::{Answer, Problem};
use crate::picture;
use crate::profile::{ABOUT_BYTES_MAX, ProfileText};
use crate::record::SLOT_PROFILE;
use crate::shown;
use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use data_encoding::BASE64;

type Outcome = Result<Option<Answer>, Problem>;

impl Open {
    /// Changes what is shown beside the name; what is absent stays, what is empty goes.
    pub fn set_profile(
        &mut self,
        cx: &mut Cx,
        about: Option<String>,
        avatar: Option<String>,
    ) -> Outcome {
        let mut changed = self.shown.clone();
        if let Some(about) = about {
            changed.about = shown::text(about.trim());
            if changed.about.len() > ABOUT_BYTES_MAX {
                return Err(problems::about_too_long());
            }
        }
        if let Some(avatar) = avatar {
            changed.avatar = read_picture(&avatar)?;
        }
        if changed != self.shown {
            self.shown = changed;
            self.profile_changed(cx);
        }
        self.show_profile(cx);
        Ok(None)
    }

    /// What is shown, the name included, is another since now.
    pub fn profile_changed(&mut self, cx: &mut Cx) {
        self.shown.time = self.clock.assumed().max(self.shown.time + 1);
        cx.touch(RowKey::Shown);
        self.record_edited(cx, SLOT_PROFILE);
    }

    /// The text of slot 2, once there was something in it.
    pub fn profile_text(&self) -> Option<Vec<u8>> {
        (self.shown.time > 0).then(|| self.profile_now().encode())
    }

    fn profile_now(&self) -> ProfileText {
        ProfileText {
            name: self.profile.name.clone(),
            ..self.shown.clone()
        }
    }

    /// What another device of this account, or this one in an earlier state, has written.
    pub fn merge_profile(&mut self, cx: &mut Cx, text: &[u8]) {
        let Ok(found) = ProfileText::decode(text) else {
            return;
        };
        if !found.holds_against(&self.profile_now()) {
            return;
        }
        if let Ok(name) = super::commands::clean_name(&found.name) {
            self.profile.name = name;
            cx.touch(RowKey::Profile);
        }
        self.shown = found;
        cx.touch(RowKey::Shown);
        self.show_profile(cx);
    }

    /// A contact's profile was looked up.
    pub fn on_profile_read(&mut self, cx: &mut Cx, who: &Who, looked: &Looked) -> bool {
        let newest = looked.texts.first();
        let newest = newest.and_then(|read| ProfileText::decode(&read.text).ok());
        if let (Some(newest), Some(contact)) = (newest, self.contacts.get_mut(who))
            && contact.row.state == 1
            && contact
                .shown
                .as_ref()
                .is_none_or(|s| newest.holds_against(s))
        {
            contact.shown = Some(newest);
            cx.touch(RowKey::ShownBy(*who));
            self.show_contact(cx, who);
        }
        self.check_head(cx, who, SLOT_PROFILE, looked);
        true
    }

    /// The picture of a contact, or of this account itself.
    pub fn avatar(&self, of: &str) -> Outcome {
        let who = views::who(of).ok_or_else(problems::contact_unknown)?;
        let shown = match who == *self.me.as_bytes() {
            true => Some(&self.shown),
            false => {
                let contact = self.contacts.get(&who);
                contact
                    .ok_or_else(problems::contact_unknown)?
                    .shown
                    .as_ref()
            }
        };
        let picture = shown.and_then(ProfileText::picture);
        let (bytes, kind) = picture.ok_or_else(problems::no_avatar)?;
        Ok(Some(Answer::Avatar {
            avatar: BASE64.encode(bytes),
            media: kind.media().to_string(),
        }))
    }
}

/// A picture as a command brings it; an empty text is none.
fn read_picture(base64: &str) -> Result<Option<Vec<u8>>, Problem> {
    if base64.is_empty() {
        return Ok(None);
    }
    if base64.len() > 2 * picture::PICTURE_BYTES_MAX {
        return Err(problems::avatar_invalid());
    }
    let bytes = BASE64.decode(base64.as_bytes()).ok();
    let bytes = bytes.filter(|bytes| picture::kind(bytes).is_some());
    bytes.map(Some).ok_or_else(problems::avatar_invalid)
}
