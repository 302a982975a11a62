-- Pipeline configs given to machine groups, as applied_configs has the classic ones.
CREATE TABLE applied_pipelines (
    group_id    INTEGER NOT NULL REFERENCES machine_groups (id) ON DELETE CASCADE,
    document_id INTEGER NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    PRIMARY KEY (group_id, document_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX applied_pipelines_by_document ON applied_pipelines (document_id);
