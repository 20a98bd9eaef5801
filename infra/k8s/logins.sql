-- The names that log in at a new server, each with the one role that it is for. The server's image runs this once, as the
-- owner. Passwords come from files; what each role may do comes with `rollout store migrate`.
\set ON_ERROR_STOP on
\set pipeline_password `cat /etc/rollout/secrets/pipeline-password`
\set release_password `cat /etc/rollout/secrets/release-password`
\set dashboard_password `cat /etc/rollout/secrets/dashboard-password`
CREATE ROLE pipeline NOLOGIN;
CREATE ROLE release NOLOGIN;
CREATE ROLE dashboard NOLOGIN;
CREATE ROLE rollout_pipeline LOGIN IN ROLE pipeline PASSWORD :'pipeline_password';
CREATE ROLE rollout_release LOGIN IN ROLE release PASSWORD :'release_password';
CREATE ROLE rollout_dashboard LOGIN IN ROLE dashboard PASSWORD :'dashboard_password';
