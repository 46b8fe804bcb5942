//! The items of one partition, page by page.

use crate::call::call;
use crate::item::projection;
use crate::{Error, Item, Table, text};
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Select};

/// A query of one partition, in the order of its sort keys. Reads what was written a moment ago
/// only if it is [`Query::consistent`], at twice the price.
#[derive(Clone)]
#[must_use]
pub struct Query {
    request: QueryFluentBuilder,
}

/// A page of a query.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// The items: at most 1 MB, and none where a filter left none of that.
    pub items: Vec<Item>,
    /// Where the next page begins; nothing after the last.
    pub next: Option<Item>,
}

/// The pages of a query, one after the other.
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

    /// The items whose sort keys begin so; all of them where that is empty.
    pub fn beginning_with(self, prefix: &str) -> Self {
        // DynamoDB takes no empty text in a condition on a key.
        if prefix.is_empty() {
            return self;
        }
        self.map(|request| {
            request.key_condition_expression("pk = :partition AND begins_with(sk, :prefix)")
        })
        .value(":prefix", text(prefix))
    }

    /// The items whose sort keys are less than one.
    pub fn before(self, end: impl Into<String>) -> Self {
        self.map(|request| request.key_condition_expression("pk = :partition AND sk < :end"))
            .value(":end", text(end))
    }

    /// The items whose sort keys are from the first to the last, both included.
    pub fn between(self, first: impl Into<String>, last: impl Into<String>) -> Self {
        self.map(|request| {
            request.key_condition_expression("pk = :partition AND sk BETWEEN :first AND :last")
        })
        .value(":first", text(first))
        .value(":last", text(last))
    }

    /// The items of which an expression holds. All others are read, and paid, nevertheless.
    pub fn filter(self, expression: &str) -> Self {
        self.map(|request| request.filter_expression(expression))
    }

    /// What a name in the filter stands for.
    pub fn name(self, placeholder: &str, attribute: &str) -> Self {
        self.map(|request| request.expression_attribute_names(placeholder, attribute))
    }

    /// What a value in the filter stands for.
    pub fn value(self, placeholder: &str, value: AttributeValue) -> Self {
        self.map(|request| request.expression_attribute_values(placeholder, value))
    }

    /// Some attributes of the items.
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

    /// The items as they are now.
    pub fn consistent(self) -> Self {
        self.map(|request| request.consistent_read(true))
    }

    /// The greatest sort key first.
    pub fn descending(self) -> Self {
        self.map(|request| request.scan_index_forward(false))
    }

    /// At most so many items a page, before any filter.
    pub fn limit(self, items: u16) -> Self {
        self.map(|request| request.limit(i32::from(items)))
    }

    /// The items after a key.
    pub fn after(self, key: Option<Item>) -> Self {
        self.map(|request| request.set_exclusive_start_key(key))
    }

    /// The first page.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn page(self) -> Result<Page, Error> {
        let found = call(self.request.send()).await?;
        Ok(Page {
            items: found.items.unwrap_or_default(),
            next: found.last_evaluated_key,
        })
    }

    /// How many items the first page has. They are read, and not sent.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn count(self) -> Result<u64, Error> {
        let found = call(self.request.select(Select::Count).send()).await?;
        Ok(u64::try_from(found.count).unwrap_or_default())
    }

    /// All pages.
    pub fn pages(self) -> Pages {
        Pages {
            query: self,
            next: None,
            is_over: false,
        }
    }

    /// The items of all pages.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn all(self) -> Result<Vec<Item>, Error> {
        let (mut all, mut pages) = (Vec::new(), self.pages());
        while let Some(items) = pages.next().await? {
            all.extend(items);
        }
        Ok(all)
    }
}

impl Pages {
    /// The next page; nothing after the last.
    ///
    /// # Errors
    /// When the table fails.
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
