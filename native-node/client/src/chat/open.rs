//! From nothing to an open account: made, restored, or unlocked.

use super::front::Answered;
use super::text;
use super::{Chat, Leave, Stop};
use account::api::{Answer, Command, Phase, UnknownWord};

const NEW_WORDS_TEXT: &str = "\
These 18 words are your account. Whoever has them is you; without them nobody, us included, can
bring it back. Write them on paper, and clear the screen afterwards.";

/// How an answer to a question by letters begins.
fn says(answer: &str, letter: char) -> bool {
    answer.trim().to_lowercase().starts_with(letter)
}

impl Chat {
    /// Comes back when the account is open.
    pub async fn open(&mut self) -> Result<(), Leave> {
        loop {
            let opened = match self.phase.clone() {
                Some(Phase::Open) => return Ok(()),
                None | Some(Phase::Starting) => {
                    self.pump().await?;
                    continue;
                }
                Some(Phase::Empty) => self.begin().await,
                Some(Phase::Locked { .. }) => self.unlock().await,
            };
            match opened {
                Err(Stop::Leave(leave)) => return Err(leave),
                Err(Stop::Failed(problem)) => {
                    self.front.say(&text::problem(&problem));
                    if self.passcode.is_some() {
                        return Err(Leave::Failed);
                    }
                }
                Ok(()) => {}
            }
        }
    }

    /// A line that is not empty. Ctrl-C leaves.
    async fn fill_in(&mut self, prompt: &str, hidden: bool) -> Result<String, Leave> {
        loop {
            match self.line(prompt, hidden).await? {
                Answered::Line(line) if hidden && !line.is_empty() => return Ok(line),
                Answered::Line(line) if !line.trim().is_empty() => return Ok(line.trim().into()),
                Answered::Line(_) => {}
                Answered::End | Answered::Interrupted => return Err(Leave::Early),
            }
        }
    }

    async fn unlock(&mut self) -> Result<(), Stop> {
        let passcode = match &self.passcode {
            Some(passcode) => passcode.clone(),
            None => self.fill_in("Passcode: ", true).await?,
        };
        let remember = self.remember;
        let unlock = Command::Unlock { passcode, remember };
        self.ask(unlock).await.map(drop)
    }

    async fn begin(&mut self) -> Result<(), Stop> {
        self.front
            .say(&format!("There is no account in {} yet.", self.place));
        let prompt = "Make a new one, or restore one from its 18 words? (new/restore) ";
        let answer = self.fill_in(prompt, false).await?;
        let restore = says(&answer, 'r');
        if !restore && !says(&answer, 'n') {
            return Ok(());
        }
        let words = match restore {
            true => self.known_words().await?,
            false => self.new_words().await?,
        };
        // Words that were written down are not drawn again because of a name or a passcode.
        let mut name = self.new_name().await?;
        let mut passcode = self.new_passcode().await?;
        loop {
            let made = self.ask(Command::Create {
                name: name.clone(),
                words: words.clone(),
                passcode: passcode.clone(),
                restore,
                remember: self.remember,
            });
            let problem = match made.await {
                Err(Stop::Failed(problem)) => problem,
                made => return made.map(drop),
            };
            let of_passcode = problem.code.starts_with("passcode_") && self.passcode.is_none();
            if problem.code == "name_invalid" {
                self.front.say(&text::problem(&problem));
                name = self.new_name().await?;
            } else if of_passcode {
                self.front.say(&text::problem(&problem));
                passcode = self.new_passcode().await?;
            } else {
                return Err(Stop::Failed(problem));
            }
        }
    }

    async fn new_words(&mut self) -> Result<String, Stop> {
        let Some(Answer::Words { words }) = self.ask(Command::NewWords).await? else {
            return Ok(String::new());
        };
        self.front
            .say(&format!("{NEW_WORDS_TEXT}\n{}", text::grid(&words)));
        loop {
            let prompt = "Type the first and the last of them when you have written them down: ";
            let typed = self.fill_in(prompt, false).await?;
            let typed = typed.to_lowercase();
            let typed: Vec<&str> = typed.split_whitespace().collect();
            let ends = [words.first(), words.last()].map(|word| word.map(String::as_str));
            if typed.iter().map(|word| Some(*word)).eq(ends) {
                return Ok(words.join(" "));
            }
        }
    }

    /// The words of an account that was known before.
    async fn known_words(&mut self) -> Result<String, Stop> {
        loop {
            let words = self
                .fill_in("Your 18 words, in their order: ", false)
                .await?;
            let check = Command::CheckWords {
                words: words.clone(),
            };
            let Some(Answer::WordCheck {
                complete,
                checksum,
                unknown,
                count,
                ..
            }) = self.ask(check).await?
            else {
                continue;
            };
            if !complete {
                self.front.say(&wrong_words(&unknown, count));
            } else if checksum || self.takes_odd_words().await? {
                return Ok(words);
            }
        }
    }

    async fn takes_odd_words(&mut self) -> Result<bool, Leave> {
        self.front.say(
            "* All are words of the list, but together they do not fit: one is probably mistyped \
             or in another place.",
        );
        let answer = self.fill_in("Use them all the same? (y/n) ", false).await?;
        Ok(says(&answer, 'y'))
    }

    async fn new_name(&mut self) -> Result<String, Leave> {
        let prompt = "Your name, as contacts see it: ";
        self.fill_in(prompt, false).await
    }

    async fn new_passcode(&mut self) -> Result<String, Leave> {
        if let Some(passcode) = &self.passcode {
            return Ok(passcode.clone());
        }
        loop {
            let prompt = "A passcode for this device, 8 characters or more: ";
            let passcode = self.fill_in(prompt, true).await?;
            if self.fill_in("The same again: ", true).await? == passcode {
                return Ok(passcode);
            }
            self.front
                .say("* The two are not the same. Nothing was changed; try again.");
        }
    }
}

fn wrong_words(unknown: &[UnknownWord], count: u32) -> String {
    let mut said = format!("* These are not 18 words of the list (there are {count}).");
    for word in unknown {
        let near = match word.near.as_slice() {
            [] => String::new(),
            near => format!(" (perhaps {})", near.join(", ")),
        };
        said += &format!("\n  word {}: {}{near}", word.at + 1, word.word);
    }
    said
}
