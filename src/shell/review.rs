//! Menu items 12 to 14: settle the versions of a record, show its history, retract it or bring it back.

use crate::model::ledger::operation::Field;
use crate::model::ledger::view::View;
use crate::model::limits::MAX_REASON;
use crate::model::records::Part;
use crate::model::row::Row;
use crate::model::section::Section;
use crate::shell::desk::{Chosen, Desk, Done, MOST_CHOICES};
use crate::shell::ledger_words;
use crate::shell::past;
use crate::shell::words;
use std::collections::BTreeMap;

/// Records of which there may be more than can be listed.
struct Several {
    first: Vec<View>,
    count: usize,
}

/// How something that is none of the versions is said to be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instead {
    /// It is typed, as in an update, where `-` means unknown.
    Typed,
    /// It is typed behind a `=`: where one chooses, a slip of the finger must not become the truth.
    Marked,
}

impl Desk<'_> {
    /// Menu 12: lists the records of which there are several versions, compares them, and settles one.
    pub fn conflicts(&mut self) -> Done {
        let is_contested = |view: &View| !view.is_hidden() && view.conflicts().next().is_some();
        let found = self.first_changed(is_contested);
        self.screen.say(ledger_words::conflicts(found.count));
        let Some(view) = self.choose_view(ledger_words::WHICH_ONE, &found)? else { return Ok(()) };
        let mut values = BTreeMap::new();
        let fields: Vec<_> = view.conflicts().map(|(field, _)| field).collect();
        for field in fields {
            let chosen = self.settle(&view, field, Instead::Marked)?;
            values.extend(chosen.map(|value| (field, value)));
        }
        if values.is_empty() {
            self.screen.say(ledger_words::UNCHANGED);
            return Ok(());
        }
        let settled = self.change(|_| {
            let made = view.edit(values, &mut rand::rng())?;
            Ok((made, ledger_words::SETTLED.to_owned()))
        });
        if settled {
            self.tell_all();
        }
        Ok(())
    }

    /// Shows the versions of a field, and asks which is right, or what is `instead`. `None` leaves them.
    pub fn settle(&mut self, view: &View, field: Field, instead: Instead) -> Chosen<String> {
        let name = past::column(view.about().section, field);
        let versions: Vec<_> = view.column(field).to_vec();
        self.screen.say(ledger_words::versions(name, versions.len()));
        for (at, version) in versions.iter().enumerate() {
            let value = ledger_words::value(version.value.as_deref());
            let by = past::signed(&version.note, &|key| self.author(key));
            self.screen.say(ledger_words::version(at + 1, &value, &by));
        }
        let most = versions.len();
        let question = ledger_words::which_version(name, most, instead == Instead::Typed);
        loop {
            let answer = self.input.line(&question)?;
            if answer.is_empty() {
                return Ok(None);
            }
            let number = answer.parse::<usize>();
            let right = match answer.strip_prefix('=') {
                None if instead == Instead::Typed && answer == words::CLEAR => Some(""),
                None if instead == Instead::Typed && number.is_err() => Some(answer.as_str()),
                marked => marked,
            };
            if let Some(right) = right {
                // As a row gives it back.
                let row = Row::new(&[right.trim()]);
                return Ok(row.fields().next().map(|value| value.into_owned()));
            }
            let at = number.ok().and_then(|number| number.checked_sub(1));
            match at.and_then(|at| versions.get(at)) {
                Some(version) => return Ok(version.value.clone()),
                // A slip of the finger must not become the truth.
                None => self.screen.say(ledger_words::no_such_version(most)),
            }
        }
    }

    /// Menu 13: what happened to a record.
    pub fn history(&mut self) -> Done {
        let Some(view) = self.find(ledger_words::WHICH_RECORD, &Section::SHOWN)? else {
            return Ok(());
        };
        let about = view.about();
        let changes = self.context.database.with(|replica| replica.state().history(about));
        for line in past::told(about.section, &changes, &|key| self.author(key)) {
            self.screen.say(line);
        }
        Ok(())
    }

    /// Menu 14: retracts a record, or brings one back.
    pub fn retract(&mut self) -> Done {
        let hidden = self.first_changed(View::is_hidden);
        let question = ledger_words::retract_or_restore(hidden.count);
        match self.input.line(&question)?.as_str() {
            "1" => self.take_back(),
            "2" if hidden.count == 0 => {
                self.screen.say(ledger_words::NONE_RETRACTED);
                Ok(())
            }
            "2" => self.bring_back(hidden),
            _ => {
                self.screen.say(ledger_words::UNCHANGED);
                Ok(())
            }
        }
    }

    fn take_back(&mut self) -> Done {
        let Some(view) = self.find(ledger_words::WHICH_RECORD, &Section::SHOWN)? else {
            return Ok(());
        };
        let section = view.about().section;
        self.list(section, &[&view.row()]);
        let reason = self.input.line(ledger_words::WHY_WRONG)?;
        if reason.is_empty() {
            self.screen.say(ledger_words::UNCHANGED);
            return Ok(());
        }
        if reason.len() > MAX_REASON {
            self.screen.say(words::TOO_LONG);
            return Ok(());
        }
        let retracted = self.change(|_| {
            let made = view.retract(&reason, &mut rand::rng())?;
            Ok((made, ledger_words::RETRACTED.to_owned()))
        });
        if retracted {
            self.tell_all();
        }
        Ok(())
    }

    fn bring_back(&mut self, mut hidden: Several) -> Done {
        if hidden.count > hidden.first.len() {
            let part = Part::new(&self.input.line(ledger_words::WHICH_HIDDEN)?);
            if !part.is_empty() {
                hidden = self.first_changed(|view| view.is_hidden() && part.is_in(&view.row()));
                if hidden.count == 0 {
                    self.screen.say(words::matches(0));
                }
            }
        }
        let Some(view) = self.choose_view(ledger_words::WHICH_ONE, &hidden)? else { return Ok(()) };
        let restored = self.change(|_| {
            let made = view.restore(&mut rand::rng())?;
            Ok((made, ledger_words::BACK.to_owned()))
        });
        if restored {
            self.tell_all();
        }
        Ok(())
    }

    /// Looks for records among those that somebody has changed.
    fn first_changed(&self, is_one: impl Fn(&View) -> bool) -> Several {
        // In the order of their names, in which all nodes list the same ones first.
        let (mut first, mut count) = (BTreeMap::new(), 0);
        self.context.database.each_changed(|view| {
            if is_one(&view) {
                count += 1;
                let about = view.about();
                let section = Section::SHOWN.iter().position(|one| *one == about.section);
                first.insert((section, *about.record.as_bytes()), view);
                if first.len() > MOST_CHOICES {
                    first.pop_last();
                }
            }
        });
        Several { first: first.into_values().collect(), count }
    }

    /// Lists records of one section after the other, and asks for one.
    fn choose_view(&mut self, what: &str, found: &Several) -> Chosen<View> {
        let few = &found.first;
        if few.is_empty() {
            return Ok(None);
        }
        let rows: Vec<_> = few.iter().map(|view| (view.about().section, view.row())).collect();
        let rows: Vec<_> = rows.iter().map(|(section, row)| (*section, row)).collect();
        self.list_titled(&rows);
        if found.count > few.len() {
            self.screen.say(ledger_words::and_more(found.count - few.len()));
        }
        let at = self.choose(what, few.len())?;
        Ok(at.and_then(|at| few.get(at)).cloned())
    }
}
