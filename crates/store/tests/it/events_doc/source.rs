//! What the sources say of the events: structs, enums and ids with their fields and doc comments, as `syn` reads them.

use quote::ToTokens;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, Field, Fields, Item, Lit, LitStr, Meta, Token, Type};

/// A type that the log's JSON is made of.
#[derive(Debug, Clone)]
pub struct Declared {
    pub doc: String,
    pub form: Form,
}

#[derive(Debug, Clone)]
pub enum Form {
    /// An object with these fields, or for a variant or tuple its parts without names.
    Fields(Vec<Part>),
    /// One of these, by the name that is stored.
    OneOf(Vec<(String, Declared)>),
    /// Written as this type is: a newtype, or an alias.
    Like(String),
}

#[derive(Debug, Clone)]
pub struct Part {
    /// Empty in a tuple.
    pub name: String,
    pub of: String,
    pub doc: String,
    /// It was added later: an older event may be without it.
    pub added: bool,
}

/// What a body can be made of: the types below a folder that serde writes, the enums that name the events, ids and aliases.
pub fn declared(folder: &Path) -> BTreeMap<String, Declared> {
    let mut types = BTreeMap::new();
    for (name, declared) in sources(folder)
        .iter()
        .flat_map(|path| items(path, is_stored))
    {
        let twice = types.insert(name.clone(), declared);
        assert!(twice.is_none(), "two stored types are named {name}");
    }
    types
}

/// The structs of one file, stored or not.
pub fn declared_in(path: &Path) -> BTreeMap<String, Declared> {
    items(path, |_, _| true).into_iter().collect()
}

fn items(path: &Path, wanted: fn(&[Attribute], &syn::Ident) -> bool) -> Vec<(String, Declared)> {
    let text = fs::read_to_string(path).unwrap();
    let file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    file.items
        .into_iter()
        .flat_map(|item| of_item(item, wanted))
        .collect()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().unwrap() != "tests" {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn of_item(item: Item, wanted: fn(&[Attribute], &syn::Ident) -> bool) -> Vec<(String, Declared)> {
    match item {
        Item::Struct(item) if wanted(&item.attrs, &item.ident) => {
            let form = match serde(&item.attrs, "try_from") {
                Some(written) => Form::Like(written),
                None => form(&item.fields),
            };
            vec![(item.ident.to_string(), declare(&item.attrs, form))]
        }
        Item::Enum(item) if wanted(&item.attrs, &item.ident) => {
            let kebab = serde(&item.attrs, "rename_all").is_some();
            let variants = item.variants.iter().map(|variant| {
                let name = variant.ident.to_string();
                let stored = serde(&variant.attrs, "rename");
                let stored = stored.unwrap_or(if kebab { kebab_case(&name) } else { name });
                (stored, declare(&variant.attrs, form(&variant.fields)))
            });
            let one_of = Form::OneOf(variants.collect());
            vec![(item.ident.to_string(), declare(&item.attrs, one_of))]
        }
        Item::Type(item) => {
            let like = Form::Like(written(&item.ty));
            vec![(item.ident.to_string(), declare(&item.attrs, like))]
        }
        Item::Macro(item) => of_macro(&item),
        _ => vec![],
    }
}

/// What serde writes, and the enums that name the events.
fn is_stored(attributes: &[Attribute], name: &syn::Ident) -> bool {
    let derives = attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("derive"));
    let mut derives = derives.map(|derive| derive.to_token_stream().to_string());
    derives.any(|derive| derive.contains("Serialize")) || name.to_string().ends_with("Event")
}

/// Attributes, name and the variants of a closed set.
type Made = (Attributes, syn::Ident, Vec<(String, Declared)>);
type Attributes = Vec<Attribute>;

/// The ids and closed sets that `domain/src/id.rs` makes by macros of its own.
fn of_macro(item: &syn::ItemMacro) -> Vec<(String, Declared)> {
    let parse = |parser: fn(ParseStream) -> syn::Result<Made>| {
        parser.parse2(item.mac.tokens.clone()).unwrap()
    };
    let made_by = item.mac.path.to_token_stream().to_string();
    let ((attributes, name, variants), like) = match made_by.as_str() {
        "text_id" => (parse(id), "String"),
        "uuid_id" => (parse(id), "Uuid"),
        "closed_set" => (parse(closed_set), ""),
        _ => return vec![],
    };
    let form = if variants.is_empty() {
        Form::Like(like.into())
    } else {
        Form::OneOf(variants)
    };
    vec![(name.to_string(), declare(&attributes, form))]
}

fn id(input: ParseStream) -> syn::Result<Made> {
    let (attributes, name) = (input.call(Attribute::parse_outer)?, input.parse()?);
    let _: proc_macro2::TokenStream = input.parse()?;
    Ok((attributes, name, vec![]))
}

fn closed_set(input: ParseStream) -> syn::Result<Made> {
    let (attributes, name) = (input.call(Attribute::parse_outer)?, input.parse()?);
    // What it is, and what is expected of its text.
    for _ in 0..2 {
        let (_, _): (Token![,], LitStr) = (input.parse()?, input.parse()?);
    }
    let _: Token![,] = input.parse()?;
    let braced;
    syn::braced!(braced in input);
    let variant = |input: ParseStream| {
        let attributes = input.call(Attribute::parse_outer)?;
        let (_, _): (syn::Ident, Token![=]) = (input.parse()?, input.parse()?);
        let text: LitStr = input.parse()?;
        Ok((text.value(), declare(&attributes, Form::Fields(vec![]))))
    };
    let variants = Punctuated::<_, Token![,]>::parse_terminated_with(&braced, variant)?;
    Ok((attributes, name, variants.into_iter().collect()))
}

fn form(fields: &Fields) -> Form {
    match fields {
        Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
            Form::Like(written(&fields.unnamed[0].ty))
        }
        Fields::Named(_) | Fields::Unnamed(_) | Fields::Unit => {
            Form::Fields(fields.iter().map(part).collect())
        }
    }
}

fn part(field: &Field) -> Part {
    let list = |attribute: &&Attribute| attribute.path().is_ident("serde");
    let mut serde = field.attrs.iter().filter(list);
    Part {
        name: field
            .ident
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        of: written(&field.ty),
        doc: doc(&field.attrs),
        added: serde.any(|attribute| attribute.to_token_stream().to_string().contains("default")),
    }
}

fn declare(attributes: &[Attribute], form: Form) -> Declared {
    let doc = doc(attributes);
    Declared { doc, form }
}

/// A type as text without spaces or paths: `Option<(RequestId,Scope)>`.
fn written(of: &Type) -> String {
    let text = of.to_token_stream().to_string().replace(' ', "");
    let last = |part: &str| part.rsplit("::").next().unwrap_or_default().to_owned();
    text.split_inclusive(['<', '>', '(', ')', ','])
        .map(last)
        .collect()
}

/// The text of a serde attribute such as `rename = "DAY"`.
fn serde(attributes: &[Attribute], wanted: &str) -> Option<String> {
    let lists = attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("serde"));
    let metas = lists.flat_map(|list| {
        list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
            .unwrap()
    });
    metas.into_iter().find_map(|meta| match meta {
        Meta::NameValue(pair) if pair.path.is_ident(wanted) => text(&pair.value),
        _ => None,
    })
}

/// The doc comment as one paragraph, links as plain names.
fn doc(attributes: &[Attribute]) -> String {
    let lines = attributes
        .iter()
        .filter_map(|attribute| match &attribute.meta {
            Meta::NameValue(pair) if pair.path.is_ident("doc") => text(&pair.value),
            _ => None,
        });
    let lines: Vec<_> = lines.map(|line| line.trim().to_owned()).collect();
    let mut plain = String::new();
    for (index, part) in lines.join(" ").split("[`").enumerate() {
        match part.split_once("`]") {
            Some((link, rest)) if index > 0 => {
                let name = link.rsplit("::").next().unwrap_or(link);
                plain += &format!("`{name}`{rest}");
            }
            _ => plain += part,
        }
    }
    plain
}

fn text(value: &Expr) -> Option<String> {
    match value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => Some(text.value()),
        _ => None,
    }
}

fn kebab_case(name: &str) -> String {
    let dashed = name.char_indices().map(|(at, letter)| {
        let dash = if at > 0 && letter.is_ascii_uppercase() {
            "-"
        } else {
            ""
        };
        format!("{dash}{}", letter.to_ascii_lowercase())
    });
    dashed.collect()
}
