//! A word of a list, as a type: one table of variants and words gives the type its text, its JSON
//! and its schema.

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema};

use crate::schema::text;

/// The text is not a word of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownWord;

/// Defines an enum whose variants are words on the wire. An `open` list may be longer on a newer
/// server: a word that is not known reads as `Unknown`, and the schema names the words as examples.
macro_rules! words {
    ($(#[doc = $about:literal])* pub enum $name:ident {
        $($(#[doc = $doc:literal])* $variant:ident = $word:literal,)+
    }) => {
        $(#[doc = $about])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord,
            serde::Serialize, serde::Deserialize,
        )]
        pub enum $name { $($(#[doc = $doc])* #[serde(rename = $word)] $variant,)+ }

        $crate::words::words!(@common $name, closed, [$($about)*], [$($variant = $word,)+], []);
    };
    ($(#[doc = $about:literal])* pub open enum $name:ident {
        $($(#[doc = $doc:literal])* $variant:ident = $word:literal,)+
    }) => {
        $(#[doc = $about])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord,
            serde::Serialize, serde::Deserialize,
        )]
        pub enum $name {
            $($(#[doc = $doc])* #[serde(rename = $word)] $variant,)+
            /// A word that this version does not know.
            #[serde(other)]
            Unknown,
        }

        $crate::words::words!(@common $name, open, [$($about)*], [$($variant = $word,)+], [Unknown = "unknown",]);
    };
    (@common $name:ident, $list:ident, [$($about:literal)*], [$($variant:ident = $word:literal,)+],
     [$($other:ident = $unknown:literal,)?]) => {
        impl $name {
            /// Every word of the list.
            pub const ALL: [$name; [$($word),+].len()] = [$($name::$variant),+];

            /// The word on the wire.
            #[inline]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $($name::$variant => $word,)+
                    $($name::$other => $unknown,)?
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::UnknownWord;

            fn from_str(word: &str) -> Result<$name, $crate::UnknownWord> {
                $name::ALL.into_iter().find(|known| known.as_str() == word).ok_or($crate::UnknownWord)
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                $crate::words::$list(concat!($($about, "\n"),*), &$name::ALL.map($name::as_str))
            }
        }

        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
        }
    };
}

pub(crate) use words;

/// The schema of a list that is complete.
pub(crate) fn closed(about: &str, words: &[&'static str]) -> RefOr<Schema> {
    of(about).enum_values(Some(words.iter().copied())).into()
}

/// The schema of a list that may become longer.
pub(crate) fn open(about: &str, words: &[&'static str]) -> RefOr<Schema> {
    of(about).examples(words.iter().copied()).into()
}

fn of(about: &str) -> ObjectBuilder {
    text().description(Some(about.trim()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::problem::Code;
    use crate::strategy::Strategy;

    #[test]
    fn a_word_is_read_as_it_is_written() {
        for strategy in Strategy::ALL {
            let json = serde_json::to_string(&strategy).unwrap();
            assert_eq!(json, format!("\"{strategy}\""));
            assert_eq!(serde_json::from_str::<Strategy>(&json).unwrap(), strategy);
            assert_eq!(strategy.as_str().parse(), Ok(strategy));
        }
    }

    #[test]
    fn a_word_of_a_newer_server_is_unknown_in_an_open_list_alone() {
        assert_eq!(serde_json::from_str::<Code>("\"of-tomorrow\"").unwrap(), Code::Unknown);
        assert!(serde_json::from_str::<Strategy>("\"realtime-v3\"").is_err());
        assert!("unknown".parse::<Code>().is_err());
    }
}
