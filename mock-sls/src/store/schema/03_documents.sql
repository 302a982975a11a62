-- Resources that are kept and handed back as JSON: saved searches, dashboards, jobs and so on.
-- Each belongs to one of an account, a project, a Logstore or another document, and goes with it.
CREATE TABLE documents (
    id               INTEGER PRIMARY KEY,
    account          TEXT,
    project_id       INTEGER REFERENCES projects (id) ON DELETE CASCADE,
    logstore_id      INTEGER REFERENCES logstores (id) ON DELETE CASCADE,
    parent_id        INTEGER REFERENCES documents (id) ON DELETE CASCADE,
    -- the one of the four that is not NULL, as one text
    place            TEXT    NOT NULL GENERATED ALWAYS AS (
        coalesce('account ' || account, 'project ' || project_id, 'logstore ' || logstore_id,
                 'document ' || parent_id)) STORED,
    kind             TEXT    NOT NULL,
    name             TEXT    NOT NULL,
    body             TEXT    NOT NULL, -- JSON: what the caller set
    create_time      INTEGER NOT NULL,
    last_modify_time INTEGER NOT NULL,
    UNIQUE (place, kind, name),
    CHECK ((account IS NOT NULL) + (project_id IS NOT NULL) + (logstore_id IS NOT NULL)
           + (parent_id IS NOT NULL) = 1)
) STRICT;
CREATE INDEX documents_by_project ON documents (project_id);
CREATE INDEX documents_by_logstore ON documents (logstore_id);
CREATE INDEX documents_by_parent ON documents (parent_id);

-- Tags of a project (with an empty name) and of what is in it.
CREATE TABLE tags (
    project_id    INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    system        INTEGER NOT NULL, -- 1: set by another service
    resource_type TEXT    NOT NULL,
    resource_name TEXT    NOT NULL,
    key           TEXT    NOT NULL,
    value         TEXT    NOT NULL,
    PRIMARY KEY (project_id, system, resource_type, resource_name, key)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER tags_of_logstores AFTER DELETE ON logstores BEGIN
    DELETE FROM tags
    WHERE project_id = OLD.project_id AND resource_type = 'logstore' AND resource_name = OLD.name;
END;
CREATE TRIGGER tags_of_machine_groups AFTER DELETE ON machine_groups BEGIN
    DELETE FROM tags
    WHERE project_id = OLD.project_id AND resource_type = 'machinegroup' AND resource_name = OLD.name;
END;
CREATE TRIGGER tags_of_logtail_configs AFTER DELETE ON logtail_configs BEGIN
    DELETE FROM tags
    WHERE project_id = OLD.project_id AND resource_type = 'logtailconfig' AND resource_name = OLD.name;
END;
CREATE TRIGGER tags_of_documents AFTER DELETE ON documents WHEN OLD.project_id IS NOT NULL BEGIN
    DELETE FROM tags
    WHERE project_id = OLD.project_id AND resource_name = OLD.name
      AND resource_type = CASE OLD.kind WHEN 'job' THEN 'alert' WHEN 'logtailpipelineconfig' THEN 'logtailconfig'
                          ELSE OLD.kind END;
END;
