//! `umbel store`: the store as a whole.

mod archive;
mod backup;
mod forget;
mod schema;
mod status;
mod verify;

use clap::Subcommand;
use umbel_host::Failed;
use umbel_settings::LoadOptions;

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Make the store if there is none, and bring it up to date
    #[command(after_help = schema::INIT_EXAMPLES)]
    Init(schema::InitArgs),
    /// Bring the store up to date; while another migration is in progress, wait for it
    #[command(after_help = schema::MIGRATE_EXAMPLES)]
    Migrate(schema::MigrateArgs),
    /// List the migrations, applied and pending; exit code 1 when one is pending
    #[command(after_help = schema::MIGRATIONS_EXAMPLES)]
    Migrations(schema::MigrationsArgs),
    /// Tell which store this is, where, how far its log goes and how large it is
    #[command(after_help = status::EXAMPLES)]
    Status(status::StatusArgs),
    /// Look at all of the store and tell what is not as it must be; exit code 1 when something is. It compares places, versions, ids and
    /// what was made of the events; there are no checksums of the data itself
    #[command(after_help = verify::EXAMPLES)]
    Verify(verify::VerifyArgs),
    /// Copy a store on SQLite, as it is at this moment, into a file; apps go on meanwhile
    #[command(after_help = backup::EXAMPLES)]
    Backup(backup::BackupArgs),
    /// Move the beginning of the log to the archive, where all reads still find it; recorded in the audit
    #[command(after_help = archive::EXAMPLES)]
    Archive(archive::ArchiveArgs),
    /// Drop a subject's key: nobody can read its personal data any more; recorded in the audit
    #[command(after_help = forget::EXAMPLES)]
    Forget(forget::ForgetArgs),
    /// Remove the store with all that it holds
    #[command(after_help = schema::DROP_EXAMPLES)]
    Drop(schema::DropArgs),
}

impl StoreCommand {
    pub(crate) fn execute(&self, options: &LoadOptions) -> Result<(), Failed> {
        match self {
            Self::Init(args) => schema::init(options, args),
            Self::Migrate(args) => schema::migrate(options, args),
            Self::Migrations(args) => schema::migrations(options, args),
            Self::Status(args) => status::status(options, args),
            Self::Verify(args) => verify::verify(options, args),
            Self::Backup(args) => backup::backup(options, args),
            Self::Archive(args) => archive::archive(options, args),
            Self::Forget(args) => forget::forget(options, args),
            Self::Drop(args) => schema::drop(options, args),
        }
    }
}
