//! Queries: reading the items of a partition page by page.

use crate::call::call;
use crate::error::Error;
use crate::item::projection;
use crate::item::{Item, text};
use crate::table::Table;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Select};

/// A query of one partition, in the order of its sort keys. It is eventually consistent unless it
/// is [`Query::consistent`], which costs twice as much.
#[derive(Clone)]
#[must_use]
pub struct Query {
    request: QueryFluentBuilder,
}

/// A page of a query.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// The items. DynamoDB reads at most 1 MB for a page, so that a filter may leave none.
    pub items: Vec<Item>,
    /// The key after which the next page starts, or nothing on the last page.
    pub next: Option<Item>,
}

/// An iteration over the pages of a query.
#[must_use]
pub struct Pages {
    query: Query,
    next: Option<Item>,
    is_over: bool,
}

impl Query {
    pub(crate) fn new(table: &Table, partition: String) -> Self {
        let request = table
            .client
            .query()
            .table_name(&table.name)
            .key_condition_expression("pk = :partition");
        Self {
            request: request.expression_attribute_values(":partition", text(partition)),
        }
    }

    fn map(self, change: impl FnOnce(QueryFluentBuilder) -> QueryFluentBuilder) -> Self {
        Self {
            request: change(self.request),
        }
    }

    /// Selects the sort keys that begin with a prefix, or all if it is empty.
    pub fn beginning_with(self, prefix: &str) -> Self {
        // DynamoDB refuses an empty text in a condition on a key.
        if prefix.is_empty() {
            return self;
        }
        self.map(|request| {
            request.key_condition_expression("pk = :partition AND begins_with(sk, :prefix)")
        })
        .value(":prefix", text(prefix))
    }

    /// Selects the sort keys below one.
    pub fn before(self, end: impl Into<String>) -> Self {
        self.map(|request| request.key_condition_expression("pk = :partition AND sk < :end"))
            .value(":end", text(end))
    }

    /// Selects the sort keys from the first to the last, both inclusive.
    pub fn between(self, first: impl Into<String>, last: impl Into<String>) -> Self {
        self.map(|request| {
            request.key_condition_expression("pk = :partition AND sk BETWEEN :first AND :last")
        })
        .value(":first", text(first))
        .value(":last", text(last))
    }

    /// Drops items that do not match an expression. They are read and paid for nevertheless.
    pub fn filter(self, expression: &str) -> Self {
        self.map(|request| request.filter_expression(expression))
    }

    /// Defines a placeholder for an attribute's name.
    pub fn name(self, placeholder: &str, attribute: &str) -> Self {
        self.map(|request| request.expression_attribute_names(placeholder, attribute))
    }

    /// Defines a placeholder for a value.
    pub fn value(self, placeholder: &str, value: AttributeValue) -> Self {
        self.map(|request| request.expression_attribute_values(placeholder, value))
    }

    /// Reads only some attributes of the items.
    pub fn attributes(self, attributes: &[&str]) -> Self {
        let (expression, names) = projection(attributes);
        let request = self.map(|request| request.set_projection_expression(expression));
        names
            .into_iter()
            .flatten()
            .fold(request, |query, (placeholder, name)| {
                query.name(&placeholder, &name)
            })
    }

    /// Makes the query strongly consistent.
    pub fn consistent(self) -> Self {
        self.map(|request| request.consistent_read(true))
    }

    /// Reverses the order.
    pub fn descending(self) -> Self {
        self.map(|request| request.scan_index_forward(false))
    }

    /// Limits the number of items of a page, before any filter.
    pub fn limit(self, items: u16) -> Self {
        self.map(|request| request.limit(i32::from(items)))
    }

    /// Starts after a key.
    pub fn after(self, key: Option<Item>) -> Self {
        self.map(|request| request.set_exclusive_start_key(key))
    }

    /// Reads the first page.
    ///
    /// # Errors
    /// [`Error`] when the table fails.
    pub async fn page(self) -> Result<Page, Error> {
        let found = call(self.request.send()).await?;
        Ok(Page {
            items: found.items.unwrap_or_default(),
            next: found.last_evaluated_key,
        })
    }

    /// Counts the items of the first page. They are read, but not transferred.
    ///
    /// # Errors
    /// [`Error`] when the table fails.
    pub async fn count(self) -> Result<u64, Error> {
        let found = call(self.request.select(Select::Count).send()).await?;
        Ok(u64::try_from(found.count).unwrap_or_default())
    }

    /// Iterates over all pages.
    pub fn pages(self) -> Pages {
        Pages {
            query: self,
            next: None,
            is_over: false,
        }
    }

    /// Reads the items of all pages.
    ///
    /// # Errors
    /// [`Error`] when the table fails.
    pub async fn all(self) -> Result<Vec<Item>, Error> {
        let (mut all, mut pages) = (Vec::new(), self.pages());
        while let Some(items) = pages.next().await? {
            all.extend(items);
        }
        Ok(all)
    }
}

impl Pages {
    /// Reads the next page, or returns nothing after the last.
    ///
    /// # Errors
    /// [`Error`] when the table fails.
    pub async fn next(&mut self) -> Result<Option<Vec<Item>>, Error> {
        if self.is_over {
            return Ok(None);
        }
        let page = self.query.clone().after(self.next.take()).page().await?;
        self.is_over = page.next.is_none();
        self.next = page.next;
        Ok(Some(page.items))
    }
}
