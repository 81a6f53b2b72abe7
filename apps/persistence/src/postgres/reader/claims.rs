//! The list of claims.

use tokio_postgres::Row;
use umbel_core::store::{Claim, ClaimName, ListClaims, StoreError};

use super::Reader;

impl Reader {
    pub(in crate::postgres) async fn list_claims(
        &self,
        request: ListClaims,
    ) -> Result<Vec<Claim>, StoreError> {
        let ListClaims { scope, after, limit } = request;
        let (after_scope, after_value) = after.map(|after| (after.scope, after.value)).unzip();
        let limit = i64::from(limit);
        let rows = match scope {
            None => self.query(&self.statements.list_claims, &[&after_scope, &after_value, &limit]).await,
            Some(scope) => {
                self.query(&self.statements.list_claims_of_scope, &[&scope, &after_value, &limit]).await
            }
        }?;
        Ok(rows.iter().map(claim).collect())
    }
}

fn claim(row: &Row) -> Claim {
    let name = ClaimName::new(row.get::<_, &str>("scope"), row.get::<_, &str>("value"));
    Claim { name, owner: row.get("owner") }
}
