//! What is wrong is told with what would be right.

use syn::{DeriveInput, parse_quote};

use crate::{attribute::Words, document, message};

fn refusal(words: &Words, input: &DeriveInput) -> String {
    message::implement(words, input).unwrap_err().to_string()
}

#[test]
fn a_message_says_its_name_and_all_that_has_no_default() {
    let nothing = parse_quote!(
        struct Open {}
    );
    let missing = "its `name` is missing: `#[command(name = \"app.verb\", rejection = Type)]`";
    assert_eq!(refusal(&message::COMMAND, &nothing), missing);
    assert_eq!(
        refusal(&message::EVENT, &nothing),
        "its `name` is missing: `#[event(name = \"app.happened\")]`"
    );
    let only_name = parse_quote!(
        #[query(name = "bank.count")]
        struct Count;
    );
    let missing = "its `answer` is missing: `#[query(name = \"app.question\", answer = Type)]`";
    assert_eq!(refusal(&message::QUERY, &only_name), missing);
}

#[test]
fn what_is_not_known_is_refused_with_what_is() {
    let answered = parse_quote!(
        #[command(name = "bank.open", answer = u64)]
        struct Open {}
    );
    let known = "`command` knows `name`, `reply`, `rejection`, `schema`, `upcasters`, `formerly`";
    assert_eq!(refusal(&message::COMMAND, &answered), known);
}

#[test]
fn nothing_is_said_twice() {
    let twice = parse_quote!(
        #[event(name = "bank.opened")]
        #[event(name = "bank.shut")]
        struct Opened {}
    );
    assert_eq!(refusal(&message::EVENT, &twice), "`name` is said twice");
}

#[test]
fn a_value_is_of_its_kind() {
    let number = parse_quote!(
        #[event(name = 1)]
        struct Opened {}
    );
    assert_eq!(refusal(&message::EVENT, &number), "expected string literal");
    let alone = parse_quote!(
        #[event(name = "bank.opened", formerly = "bank.made")]
        struct Opened {}
    );
    assert_eq!(refusal(&message::EVENT, &alone), "expected square brackets");
}

#[test]
fn a_name_is_of_one_type() {
    let generic = parse_quote!(
        #[event(name = "bank.opened")]
        struct Opened<T> {
            by: T,
        }
    );
    let reason = "`Event` is derived for one type under one name, not for a generic one";
    assert_eq!(refusal(&message::EVENT, &generic), reason);
}

#[test]
fn an_index_is_called_as_its_field_is_in_json() {
    let raw = parse_quote!(
        #[document(collection = "bank.a")]
        struct Account {
            #[index]
            r#type: String,
            cents: u64,
        }
    );
    let derived = document::implement(&raw).unwrap().to_string();
    assert!(derived.contains("const INDEXES : & 'static [& 'static str] = & [\"type\"]"), "{derived}");

    let elsewhere: [DeriveInput; 6] = [
        parse_quote!(
            #[document(collection = "bank.a")]
            struct Account {
                #[index]
                #[serde(rename = "by")]
                owner: String,
            }
        ),
        parse_quote!(
            #[document(collection = "bank.a")]
            struct Account {
                #[index]
                #[serde(flatten)]
                owner: Owner,
            }
        ),
        parse_quote!(
            #[document(collection = "bank.a")]
            struct Account {
                #[index]
                #[serde(default, skip)]
                owner: Owner,
            }
        ),
        parse_quote!(
            #[document(collection = "bank.a")]
            #[serde(rename_all = "camelCase")]
            struct Account {
                #[index]
                owner: String,
            }
        ),
        parse_quote!(
            #[document(collection = "bank.a")]
            #[serde(into = "Other")]
            struct Account {
                #[index]
                owner: String,
            }
        ),
        parse_quote!(
            #[document(collection = "bank.a")]
            enum Account {
                Open {
                    #[index]
                    owner: String,
                },
            }
        ),
    ];
    for elsewhere in &elsewhere {
        let refusal = document::implement(elsewhere).unwrap_err().to_string();
        assert!(refusal.contains("say `INDEXES` there"), "{refusal}");
    }
    let said_else: DeriveInput = parse_quote! {
        #[document(collection = "bank.a")]
        #[serde(deny_unknown_fields, bound(serialize = "String: Serialize"))]
        struct Account { #[index] #[serde(default = "renamed", alias = "by")] owner: String }
    };
    let derived = document::implement(&said_else).unwrap().to_string();
    assert!(derived.contains("[\"owner\"]"), "{derived}");
    let unnamed = parse_quote!(
        #[document(collection = "bank.a")]
        struct Account(#[index] String);
    );
    let refusal = document::implement(&unnamed).unwrap_err().to_string();
    assert_eq!(refusal, "an index has the name of its field, and this field has none");
}

#[test]
fn whose_personal_data_it_is_must_be_said() {
    let joined: DeriveInput = parse_quote!(
        #[event(name = "a.joined")]
        struct Joined {
            name: Option<umbel_core::Personal<String>>,
        }
    );
    let reason = "nobody says whose personal data this is: implement `Event`, and say `subject` there";
    assert_eq!(refusal(&message::EVENT, &joined), reason);
}
