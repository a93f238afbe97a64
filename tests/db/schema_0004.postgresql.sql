CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.artifacts (
    sha256 character varying(64) NOT NULL,
    size_bytes bigint NOT NULL,
    format character varying(32) NOT NULL,
    created_at timestamp with time zone NOT NULL
);
CREATE TABLE public.devices (
    device_id character varying(64) NOT NULL,
    name character varying(200) NOT NULL,
    facts json NOT NULL,
    is_imported boolean NOT NULL,
    agent_url character varying(500),
    agent_token character varying(500),
    environment json,
    enrolled_at timestamp with time zone NOT NULL,
    last_seen_at timestamp with time zone,
    removed_at timestamp with time zone
);
CREATE TABLE public.jobs (
    job_id character varying(64) NOT NULL,
    kind character varying(32) NOT NULL,
    status character varying(32) NOT NULL,
    device_id character varying(64) NOT NULL,
    space character varying(500) NOT NULL,
    conditions json NOT NULL,
    conditions_key character varying(32) NOT NULL,
    request json NOT NULL,
    result json,
    snapshot character varying(32),
    other_snapshots json NOT NULL,
    stage character varying(200) NOT NULL,
    message text NOT NULL,
    progress double precision NOT NULL,
    parent_job_id character varying(64),
    token_id character varying(64),
    idempotency_key character varying(200),
    worker_id character varying(64),
    worker_expires_at timestamp with time zone,
    num_windows integer NOT NULL,
    attempt integer NOT NULL,
    created_at timestamp with time zone NOT NULL,
    started_at timestamp with time zone,
    finished_at timestamp with time zone
);
CREATE TABLE public.latency_entries (
    snapshot character varying(32) NOT NULL,
    "position" integer NOT NULL,
    layer text NOT NULL,
    block text NOT NULL,
    segment_key character varying(32) NOT NULL,
    latency_us double precision,
    sigma_us double precision,
    num_samples integer NOT NULL,
    status character varying(32) NOT NULL
);
CREATE TABLE public.latency_tables (
    table_id character varying(64) NOT NULL,
    snapshot character varying(32) NOT NULL,
    device_id character varying(64) NOT NULL,
    space character varying(500) NOT NULL,
    runtime character varying(32) NOT NULL,
    conditions_key character varying(32) NOT NULL,
    content text NOT NULL,
    is_accepted boolean NOT NULL,
    anchor_us double precision NOT NULL,
    source character varying(200) NOT NULL,
    job_id character varying(64),
    warnings json NOT NULL,
    reason character varying(32) NOT NULL,
    parent character varying(32),
    change text NOT NULL,
    created_at timestamp with time zone NOT NULL
);
CREATE TABLE public.lease_artifacts (
    lease_id character varying(64) NOT NULL,
    sha256 character varying(64) NOT NULL
);
CREATE TABLE public.leases (
    lease_id character varying(64) NOT NULL,
    job_id character varying(64) NOT NULL,
    device_id character varying(64) NOT NULL,
    group_index integer NOT NULL,
    status character varying(32) NOT NULL,
    fence integer NOT NULL,
    ttl_s double precision NOT NULL,
    expires_at timestamp with time zone,
    progress double precision NOT NULL,
    device_s double precision NOT NULL,
    items json NOT NULL,
    policy json NOT NULL,
    conditions json NOT NULL,
    created_at timestamp with time zone NOT NULL,
    leased_at timestamp with time zone,
    finished_at timestamp with time zone,
    num_given_back integer DEFAULT 0 NOT NULL
);
CREATE TABLE public.measured_latencies (
    measured_id integer NOT NULL,
    job_id character varying(64) NOT NULL,
    device_id character varying(64) NOT NULL,
    space character varying(500) NOT NULL,
    conditions_key character varying(32) NOT NULL,
    snapshot character varying(32),
    body json NOT NULL
);
CREATE SEQUENCE public.measured_latencies_measured_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.measured_latencies_measured_id_seq OWNED BY public.measured_latencies.measured_id;
CREATE TABLE public.measured_nodes (
    result_id integer NOT NULL,
    node_index integer NOT NULL,
    node text NOT NULL,
    op_type text NOT NULL,
    segment text NOT NULL,
    num_runs integer NOT NULL,
    median_us double precision NOT NULL,
    q10_us double precision NOT NULL,
    q90_us double precision NOT NULL
);
CREATE TABLE public.results (
    result_id integer NOT NULL,
    lease_id character varying(64) NOT NULL,
    fence integer NOT NULL,
    item_id character varying(200) NOT NULL,
    status character varying(32) NOT NULL,
    body bytea NOT NULL,
    received_at timestamp with time zone NOT NULL
);
CREATE VIEW public.node_latencies AS
 SELECT leases.device_id,
    leases.job_id,
    results.lease_id,
    results.item_id,
    measured_nodes.node_index,
    measured_nodes.node,
    measured_nodes.op_type,
    measured_nodes.segment,
    measured_nodes.num_runs,
    measured_nodes.median_us,
    measured_nodes.q10_us,
    measured_nodes.q90_us
   FROM ((public.measured_nodes
     JOIN public.results ON ((results.result_id = measured_nodes.result_id)))
     JOIN public.leases ON (((leases.lease_id)::text = (results.lease_id)::text)));
CREATE SEQUENCE public.results_result_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.results_result_id_seq OWNED BY public.results.result_id;
CREATE TABLE public.search_architectures (
    "position" integer NOT NULL,
    job_id character varying(64) NOT NULL,
    role character varying(32) NOT NULL,
    architecture text NOT NULL,
    body json NOT NULL
);
CREATE SEQUENCE public.search_architectures_position_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.search_architectures_position_seq OWNED BY public.search_architectures."position";
CREATE TABLE public.search_steps (
    job_id character varying(64) NOT NULL,
    step integer NOT NULL,
    body json NOT NULL
);
CREATE TABLE public.table_checks (
    check_id integer NOT NULL,
    job_id character varying(64) NOT NULL,
    snapshot character varying(32) NOT NULL,
    body json NOT NULL
);
CREATE SEQUENCE public.table_checks_check_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.table_checks_check_id_seq OWNED BY public.table_checks.check_id;
CREATE TABLE public.tokens (
    token_id character varying(64) NOT NULL,
    scope character varying(32) NOT NULL,
    secret_sha256 character varying(64) NOT NULL,
    device_id character varying(64),
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    used_at timestamp with time zone,
    last_used_at timestamp with time zone,
    parent_token_id character varying(64)
);
ALTER TABLE ONLY public.measured_latencies ALTER COLUMN measured_id SET DEFAULT nextval('public.measured_latencies_measured_id_seq'::regclass);
ALTER TABLE ONLY public.results ALTER COLUMN result_id SET DEFAULT nextval('public.results_result_id_seq'::regclass);
ALTER TABLE ONLY public.search_architectures ALTER COLUMN "position" SET DEFAULT nextval('public.search_architectures_position_seq'::regclass);
ALTER TABLE ONLY public.table_checks ALTER COLUMN check_id SET DEFAULT nextval('public.table_checks_check_id_seq'::regclass);
INSERT INTO public.alembic_version VALUES ('0004');
INSERT INTO public.artifacts VALUES ('sha256 1', 1, 'format 1', '2026-01-01 12:30:00+00');
INSERT INTO public.devices VALUES ('device_id 1', 'name 1', '{"number": 1}', false, 'agent_url 1', 'agent_token 1', '{"number": 1}', '2026-01-01 12:30:00+00', '2026-01-01 12:30:00+00', '2026-01-01 12:30:00+00');
INSERT INTO public.jobs VALUES ('job_id 1', 'kind 1', 'status 1', 'device_id 1', 'space 1', '{"number": 1}', 'conditions_key 1', '{"number": 1}', '{"number": 1}', 'snapshot 1', '{"number": 1}', 'stage 1', 'message 1', 1.5, 'job_id 1', 'token_id 1', 'idempotency_key 1', 'worker_id 1', '2026-01-01 12:30:00+00', 1, 1, '2026-01-01 12:30:00+00', '2026-01-01 12:30:00+00', '2026-01-01 12:30:00+00');
INSERT INTO public.latency_entries VALUES ('snapshot 1', 1, 'layer 1', 'block 1', 'segment_key 1', 1.5, 1.5, 1, 'status 1');
INSERT INTO public.latency_tables VALUES ('table_id 1', 'snapshot 1', 'device_id 1', 'space 1', 'runtime 1', 'conditions_key 1', '{"space":"fbnet-tiny","device_id":"device_id 1","conditions":{"runtime":"onnxruntime","threads":1,"dtype":"fp32","batch":1,"cores":[],"thermal":"cold","runtime_version":null,"accelerator":""},"anchor_us":1844.1255497311308,"entries":{"1238c43f9c75a096":{"latency_units":0.07503621469070673,"sigma_units":0.001,"num_samples":40,"status":"ok"},"7c9e554691c4d695":{"latency_units":0.08502797251674597,"sigma_units":0.001,"num_samples":40,"status":"ok"},"3e756f8b2b84493c":{"latency_units":0.08207047597633275,"sigma_units":0.001,"num_samples":40,"status":"ok"},"3b376102f9fddc7d":{"latency_units":0.1090743757498297,"sigma_units":0.001,"num_samples":40,"status":"ok"},"1873affbea01e729":{"latency_units":0.0803438361016012,"sigma_units":0.001,"num_samples":40,"status":"ok"},"f575618316a90aac":{"latency_units":0.09562156351656459,"sigma_units":0.001,"num_samples":40,"status":"ok"},"286c840b38378349":{"latency_units":0.09001004634241748,"sigma_units":0.001,"num_samples":40,"status":"ok"},"fce1c43c0c1d7f7f":{"latency_units":0.07051998108990766,"sigma_units":0.001,"num_samples":40,"status":"ok"},"862ba3af03af1570":{"latency_units":0.06643985547866156,"sigma_units":0.001,"num_samples":40,"status":"ok"},"fbbd6ead64cf8bed":{"latency_units":0.09107926945269985,"sigma_units":0.001,"num_samples":40,"status":"ok"},"e0d0145fa4f361e1":{"latency_units":0.05421011658402823,"sigma_units":0.001,"num_samples":40,"status":"ok"},"3e1860eb9e9b3604":{"latency_units":0.01826303809603128,"sigma_units":0.001,"num_samples":40,"status":"ok"},"37b4e7e17562f167":{"latency_units":0.02608660760527201,"sigma_units":0.001,"num_samples":40,"status":"ok"},"165645caec81a25c":{"latency_units":0.08548160279519638,"sigma_units":0.001,"num_samples":40,"status":"ok"},"b9a05c2560afb0ca":{"latency_units":0.05783566661537669,"sigma_units":0.001,"num_samples":40,"status":"ok"},"009301cda6d35a14":{"latency_units":0.03007176074528137,"sigma_units":0.001,"num_samples":40,"status":"ok"},"6075de7c6ee3a7d1":{"latency_units":0.11139296311306383,"sigma_units":0.001,"num_samples":40,"status":"ok"},"bb87a5b61e844af9":{"latency_units":0.08009456572327085,"sigma_units":0.001,"num_samples":40,"status":"ok"},"c3d99c8cfb1c5139":{"latency_units":0.11744681248537595,"sigma_units":0.001,"num_samples":40,"status":"ok"},"fc4b0a281440e2ee":{"latency_units":0.10684444828106202,"sigma_units":0.001,"num_samples":40,"status":"ok"},"429d98fa86114969":{"latency_units":0.0697647126798785,"sigma_units":0.001,"num_samples":40,"status":"ok"},"e778602ede4ac9a4":{"latency_units":0.041318083429258065,"sigma_units":0.001,"num_samples":40,"status":"ok"},"e208eb2e3102143c":{"latency_units":0.03262431768805856,"sigma_units":0.001,"num_samples":40,"status":"ok"},"a97fbefc2eb743cc":{"latency_units":0.0501905331917906,"sigma_units":0.001,"num_samples":40,"status":"ok"},"5b901a912a5e9502":{"latency_units":0.08922311970712876,"sigma_units":0.001,"num_samples":40,"status":"ok"},"a037e0e0ea69e9c3":{"latency_units":0.11640069665159691,"sigma_units":0.001,"num_samples":40,"status":"ok"},"67f779eff0f6eff4":{"latency_units":0.08910238691496968,"sigma_units":0.001,"num_samples":40,"status":"ok"},"26f4377b4518aa40":{"latency_units":0.09395213911079295,"sigma_units":0.001,"num_samples":40,"status":"ok"},"89a32a772efbe406":{"latency_units":0.01235101521063656,"sigma_units":0.001,"num_samples":40,"status":"ok"},"1fd997f0231b5c13":{"latency_units":0.05252275345510689,"sigma_units":0.001,"num_samples":40,"status":"ok"},"059596d28970aaf0":{"latency_units":0.06322873640725232,"sigma_units":0.001,"num_samples":40,"status":"ok"},"dcb79d5d3de8b623":{"latency_units":0.11753500640515592,"sigma_units":0.001,"num_samples":40,"status":"ok"},"171c78451a496f5a":{"latency_units":0.09694463581508504,"sigma_units":0.001,"num_samples":40,"status":"ok"},"9cac119f9d3ead02":{"latency_units":0.029425198028992065,"sigma_units":0.001,"num_samples":40,"status":"ok"},"1faee8018177bff9":{"latency_units":0.034316240984959376,"sigma_units":0.001,"num_samples":40,"status":"ok"},"cdb959c005c7a7d1":{"latency_units":0.09483872380267264,"sigma_units":0.001,"num_samples":40,"status":"ok"},"0e1b36390d0939b0":{"latency_units":0.04149237243020637,"sigma_units":0.001,"num_samples":40,"status":"ok"},"986575e69d251bdd":{"latency_units":0.014319583396900785,"sigma_units":0.001,"num_samples":40,"status":"ok"},"4ba926627d87a0fe":{"latency_units":0.05975888297859677,"sigma_units":0.001,"num_samples":40,"status":"ok"},"a6f52d01589a045b":{"latency_units":0.05373579620348823,"sigma_units":0.001,"num_samples":40,"status":"ok"},"d53b21e42ee46f1d":{"latency_units":0.03634664867014495,"sigma_units":0.001,"num_samples":40,"status":"ok"},"1f7861c93009e8f2":{"latency_units":0.0422562418625429,"sigma_units":0.001,"num_samples":40,"status":"ok"},"14423cedef2ebe60":{"latency_units":0.07159575070667595,"sigma_units":0.001,"num_samples":40,"status":"ok"},"c5a0d8563656deed":{"latency_units":0.09462785238681731,"sigma_units":0.001,"num_samples":40,"status":"ok"},"70659f9d627d0521":{"latency_units":0.09760310392119292,"sigma_units":0.001,"num_samples":40,"status":"ok"},"aecf7c77bb32b8d0":{"latency_units":0.09198229961733594,"sigma_units":0.001,"num_samples":40,"status":"ok"},"043e5ec326d86770":{"latency_units":0.09749770429771641,"sigma_units":0.001,"num_samples":40,"status":"ok"},"d2be543f5923746b":{"latency_units":0.06456701470573491,"sigma_units":0.001,"num_samples":40,"status":"ok"},"cb48d71da812b6e8":{"latency_units":0.09550143089725434,"sigma_units":0.001,"num_samples":40,"status":"ok"},"e6f5c8658e334493":{"latency_units":0.07349712653500051,"sigma_units":0.001,"num_samples":40,"status":"ok"},"f0bc4ad19501f797":{"latency_units":0.07962341688372716,"sigma_units":0.001,"num_samples":40,"status":"ok"},"3706400fbbd3539d":{"latency_units":0.034368881177138634,"sigma_units":0.001,"num_samples":40,"status":"ok"},"9332475b9e85275a":{"latency_units":0.09188189311933655,"sigma_units":0.001,"num_samples":40,"status":"ok"},"31b939ca02f25a9e":{"latency_units":0.10172054279324601,"sigma_units":0.001,"num_samples":40,"status":"ok"},"ac551a9f596abb8e":{"latency_units":0.03110484556663546,"sigma_units":0.001,"num_samples":40,"status":"ok"},"deed78f8747e12fa":{"latency_units":0.064184057240291,"sigma_units":0.001,"num_samples":40,"status":"ok"},"c10d539031f1d6ea":{"latency_units":0.053293572057339506,"sigma_units":0.001,"num_samples":40,"status":"ok"},"3d635694ff0a5eac":{"latency_units":0.10452768329666307,"sigma_units":0.001,"num_samples":40,"status":"ok"},"73db0f030f8e9a1e":{"latency_units":0.025748770927080507,"sigma_units":0.001,"num_samples":40,"status":"ok"},"c085533c59249175":{"latency_units":0.039617600286980116,"sigma_units":0.001,"num_samples":40,"status":"ok"},"88669d77a4acb8fe":{"latency_units":0.09949752243405208,"sigma_units":0.001,"num_samples":40,"status":"ok"},"3381e9ab44c52cf8":{"latency_units":0.07508869815864294,"sigma_units":0.001,"num_samples":40,"status":"ok"},"45da50e9ecc426a8":{"latency_units":0.07544618914524136,"sigma_units":0.001,"num_samples":40,"status":"ok"},"6a718f2bf541f5e9":{"latency_units":0.0348824237824033,"sigma_units":0.001,"num_samples":40,"status":"ok"},"8584c20435dc120a":{"latency_units":0.02548999850991221,"sigma_units":0.001,"num_samples":40,"status":"ok"},"7476917f40d5b9fd":{"latency_units":0.058931131879563496,"sigma_units":0.001,"num_samples":40,"status":"ok"},"fccd1ed110d5d1d0":{"latency_units":0.033585298693936255,"sigma_units":0.001,"num_samples":40,"status":"ok"},"c000db1cf2278496":{"latency_units":0.09029856906788239,"sigma_units":0.001,"num_samples":40,"status":"ok"},"d7cca141799ae310":{"latency_units":0.060594009022704315,"sigma_units":0.001,"num_samples":40,"status":"ok"},"8c15e7e168116003":{"latency_units":0.0951474939359979,"sigma_units":0.001,"num_samples":40,"status":"ok"},"8319b7012d0c4058":{"latency_units":0.021750401140392246,"sigma_units":0.001,"num_samples":40,"status":"ok"}},"network_sigma":0.01,"created_at":"2026-11-24T12:00:00+00:00","verdict":{"is_accepted":true,"reasons":[],"cover_scatter":0.0,"repeat_median":0.0,"repeat_p95":0.0,"noise_ceiling":0.0,"anchor_spread":1.0,"notes":[],"is_noise_accepted":false},"source":"measured","is_simulated":false,"neighbours":{"layout_costs":[],"sameness_effect":0.0}}', false, 1.5, 'source 1', 'job_id 1', '{"number": 1}', 'reason 1', 'parent 1', 'change 1', '2026-01-01 12:30:00+00');
INSERT INTO public.lease_artifacts VALUES ('lease_id 1', 'sha256 1');
INSERT INTO public.leases VALUES ('lease_id 1', 'job_id 1', 'device_id 1', 1, 'done', 1, 1.5, '2026-01-01 12:30:00+00', 1.5, 1.5, '{"number": 1}', '{"number": 1}', '{"number": 1}', '2026-01-01 12:30:00+00', '2026-01-01 12:30:00+00', '2026-01-01 12:30:00+00', 1);
INSERT INTO public.measured_latencies VALUES (1, 'job_id 1', 'device_id 1', 'space 1', 'conditions_key 1', 'snapshot 1', '{"number": 1}');
INSERT INTO public.measured_nodes VALUES (1, 1, 'node 1', 'op_type 1', 'segment 1', 1, 1.5, 1.5, 1.5);
INSERT INTO public.results VALUES (1, 'lease_id 1', 1, 'item_id 1', 'ok', '\x789cab56cacb4f492d56b25288ae56ca4bcc4d05b2948a4b5273f50d947480acd4f4dcd4bc1298204828bf20bea4b200acce393faf0c24549e9893135f0a36c4d040cf4047c1184c1a01c9d8dad85a00fa551d0a', '2026-01-01 12:30:00+00');
INSERT INTO public.search_architectures VALUES (1, 'job_id 1', 'role 1', 'architecture 1', '{"number": 1}');
INSERT INTO public.search_steps VALUES ('job_id 1', 1, '{"number": 1}');
INSERT INTO public.table_checks VALUES (1, 'job_id 1', 'snapshot 1', '{"number": 1}');
INSERT INTO public.tokens VALUES ('token_id 1', 'scope 1', 'secret_sha256 1', 'device_id 1', '2026-01-01 12:30:00+00', '2026-01-01 12:30:00+00', '2026-01-01 12:30:00+00', '2026-01-01 12:30:00+00', '2026-01-01 12:30:00+00', 'parent_token_id 1');
SELECT pg_catalog.setval('public.measured_latencies_measured_id_seq', 1, false);
SELECT pg_catalog.setval('public.results_result_id_seq', 1, false);
SELECT pg_catalog.setval('public.search_architectures_position_seq', 1, false);
SELECT pg_catalog.setval('public.table_checks_check_id_seq', 1, false);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.artifacts
    ADD CONSTRAINT pk_artifacts PRIMARY KEY (sha256);
ALTER TABLE ONLY public.devices
    ADD CONSTRAINT pk_devices PRIMARY KEY (device_id);
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT pk_jobs PRIMARY KEY (job_id);
ALTER TABLE ONLY public.latency_entries
    ADD CONSTRAINT pk_latency_entries PRIMARY KEY (snapshot, "position");
ALTER TABLE ONLY public.latency_tables
    ADD CONSTRAINT pk_latency_tables PRIMARY KEY (table_id);
ALTER TABLE ONLY public.lease_artifacts
    ADD CONSTRAINT pk_lease_artifacts PRIMARY KEY (lease_id, sha256);
ALTER TABLE ONLY public.leases
    ADD CONSTRAINT pk_leases PRIMARY KEY (lease_id);
ALTER TABLE ONLY public.measured_latencies
    ADD CONSTRAINT pk_measured_latencies PRIMARY KEY (measured_id);
ALTER TABLE ONLY public.measured_nodes
    ADD CONSTRAINT pk_measured_nodes PRIMARY KEY (result_id, node_index);
ALTER TABLE ONLY public.results
    ADD CONSTRAINT pk_results PRIMARY KEY (result_id);
ALTER TABLE ONLY public.search_architectures
    ADD CONSTRAINT pk_search_architectures PRIMARY KEY ("position");
ALTER TABLE ONLY public.search_steps
    ADD CONSTRAINT pk_search_steps PRIMARY KEY (job_id, step);
ALTER TABLE ONLY public.table_checks
    ADD CONSTRAINT pk_table_checks PRIMARY KEY (check_id);
ALTER TABLE ONLY public.tokens
    ADD CONSTRAINT pk_tokens PRIMARY KEY (token_id);
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT uq_jobs_token_id_idempotency_key UNIQUE (token_id, idempotency_key);
ALTER TABLE ONLY public.latency_tables
    ADD CONSTRAINT uq_latency_tables_snapshot UNIQUE (snapshot);
ALTER TABLE ONLY public.results
    ADD CONSTRAINT uq_results_lease_id_fence_item_id UNIQUE (lease_id, fence, item_id);
ALTER TABLE ONLY public.search_architectures
    ADD CONSTRAINT uq_search_architectures_job_id_role_architecture UNIQUE (job_id, role, architecture);
ALTER TABLE ONLY public.table_checks
    ADD CONSTRAINT uq_table_checks_job_id UNIQUE (job_id);
CREATE INDEX ix_jobs_device_id ON public.jobs USING btree (device_id);
CREATE INDEX ix_jobs_kind_status ON public.jobs USING btree (kind, status);
CREATE INDEX ix_jobs_parent_job_id ON public.jobs USING btree (parent_job_id);
CREATE INDEX ix_latency_tables_device_space ON public.latency_tables USING btree (device_id, space, conditions_key);
CREATE INDEX ix_latency_tables_job_id ON public.latency_tables USING btree (job_id);
CREATE INDEX ix_latency_tables_parent ON public.latency_tables USING btree (parent);
CREATE INDEX ix_lease_artifacts_sha256 ON public.lease_artifacts USING btree (sha256);
CREATE INDEX ix_leases_job_id ON public.leases USING btree (job_id);
CREATE INDEX ix_leases_status_device_id ON public.leases USING btree (status, device_id);
CREATE INDEX ix_measured_latencies_device_space ON public.measured_latencies USING btree (device_id, space);
CREATE INDEX ix_measured_latencies_job_id ON public.measured_latencies USING btree (job_id);
CREATE INDEX ix_table_checks_snapshot ON public.table_checks USING btree (snapshot);
CREATE INDEX ix_tokens_device_id ON public.tokens USING btree (device_id);
CREATE UNIQUE INDEX ix_tokens_parent_token_id ON public.tokens USING btree (parent_token_id);
CREATE UNIQUE INDEX uq_devices_name_present ON public.devices USING btree (name) WHERE (removed_at IS NULL);
CREATE UNIQUE INDEX uq_leases_device_id_leased ON public.leases USING btree (device_id) WHERE ((status)::text = 'leased'::text);
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT fk_jobs_device_id_devices FOREIGN KEY (device_id) REFERENCES public.devices(device_id);
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT fk_jobs_parent_job_id_jobs FOREIGN KEY (parent_job_id) REFERENCES public.jobs(job_id);
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT fk_jobs_token_id_tokens FOREIGN KEY (token_id) REFERENCES public.tokens(token_id);
ALTER TABLE ONLY public.latency_entries
    ADD CONSTRAINT fk_latency_entries_snapshot_latency_tables FOREIGN KEY (snapshot) REFERENCES public.latency_tables(snapshot) ON DELETE CASCADE;
ALTER TABLE ONLY public.latency_tables
    ADD CONSTRAINT fk_latency_tables_device_id_devices FOREIGN KEY (device_id) REFERENCES public.devices(device_id);
ALTER TABLE ONLY public.latency_tables
    ADD CONSTRAINT fk_latency_tables_job_id_jobs FOREIGN KEY (job_id) REFERENCES public.jobs(job_id);
ALTER TABLE ONLY public.lease_artifacts
    ADD CONSTRAINT fk_lease_artifacts_lease_id_leases FOREIGN KEY (lease_id) REFERENCES public.leases(lease_id);
ALTER TABLE ONLY public.lease_artifacts
    ADD CONSTRAINT fk_lease_artifacts_sha256_artifacts FOREIGN KEY (sha256) REFERENCES public.artifacts(sha256);
ALTER TABLE ONLY public.leases
    ADD CONSTRAINT fk_leases_device_id_devices FOREIGN KEY (device_id) REFERENCES public.devices(device_id);
ALTER TABLE ONLY public.leases
    ADD CONSTRAINT fk_leases_job_id_jobs FOREIGN KEY (job_id) REFERENCES public.jobs(job_id);
ALTER TABLE ONLY public.measured_latencies
    ADD CONSTRAINT fk_measured_latencies_device_id_devices FOREIGN KEY (device_id) REFERENCES public.devices(device_id);
ALTER TABLE ONLY public.measured_latencies
    ADD CONSTRAINT fk_measured_latencies_job_id_jobs FOREIGN KEY (job_id) REFERENCES public.jobs(job_id);
ALTER TABLE ONLY public.measured_nodes
    ADD CONSTRAINT fk_measured_nodes_result_id_results FOREIGN KEY (result_id) REFERENCES public.results(result_id) ON DELETE CASCADE;
ALTER TABLE ONLY public.results
    ADD CONSTRAINT fk_results_lease_id_leases FOREIGN KEY (lease_id) REFERENCES public.leases(lease_id);
ALTER TABLE ONLY public.search_architectures
    ADD CONSTRAINT fk_search_architectures_job_id_jobs FOREIGN KEY (job_id) REFERENCES public.jobs(job_id);
ALTER TABLE ONLY public.search_steps
    ADD CONSTRAINT fk_search_steps_job_id_jobs FOREIGN KEY (job_id) REFERENCES public.jobs(job_id);
ALTER TABLE ONLY public.table_checks
    ADD CONSTRAINT fk_table_checks_job_id_jobs FOREIGN KEY (job_id) REFERENCES public.jobs(job_id);
ALTER TABLE ONLY public.table_checks
    ADD CONSTRAINT fk_table_checks_snapshot_latency_tables FOREIGN KEY (snapshot) REFERENCES public.latency_tables(snapshot);
ALTER TABLE ONLY public.tokens
    ADD CONSTRAINT fk_tokens_device_id_devices FOREIGN KEY (device_id) REFERENCES public.devices(device_id);
