import type { Script } from "../ssh/session.ts";
import type { Place, Places } from "./place.ts";

/** A bucket of an S3 server, as restic reaches it. */
export interface Bucket {
  /** `https://HOST[:PORT]`. */
  endpoint: string;
  bucket: string;
  accessKey: string;
  secretKey: string;
  /** @default what the server takes without one */
  region?: string;
  /** PEM of the authority that signed the server's certificate. @default those that the host trusts */
  caCertificate?: string;
}

/** Where restic keeps its repository: exactly one of the three. */
export interface Repository {
  /** Directory of the host. */
  directory?: string;
  /** Below the top of a volume. */
  volume?: Place & { path: string };
  s3?: Bucket;
  /** Encrypts what is in it. */
  password: string;
}

/** Tells repositories apart, whatever their keys are. */
export function repositoryName(host: string, { directory, volume, s3 }: Repository): string {
  if (directory !== undefined) return `${host}:${directory}`;
  if (volume !== undefined) return `${volume.volume}:${volume.path}`;
  return `s3:${s3?.endpoint}/${s3?.bucket}`;
}

/**
 * Shell text by which scripts use a repository; `$base` is as in `withVolumes`. Locks that died with
 * their process are removed (`restic unlock` leaves those of living ones, which are waited for).
 */
const PRELUDE = `
said=$base/said
export RESTIC_PASSWORD_FILE="$PASSWORD" RESTIC_PROGRESS_FPS=0.5
options=--no-cache
case $KIND in
  directory) repository=$LOCATION ;;
  volume) repository=$base/repository/$LOCATION ;;
  s3)
    repository=s3:$LOCATION
    export AWS_SHARED_CREDENTIALS_FILE="$CREDENTIALS"
    if [ -n "$REGION" ]; then export AWS_DEFAULT_REGION="$REGION"; fi
    if [ -s "$AUTHORITY" ]; then options="$options --cacert $AUTHORITY"; fi
    ;;
esac
export RESTIC_REPOSITORY="$repository"
patient() {
  turns=0
  while :; do
    { { code=0; restic $options "$@" 2>&1 >&3 || code=$?; echo "$code" >"$base/code"; } | tee "$said" >&2; } 3>&1
    code=$(cat "$base/code")
    if [ "$code" = 0 ]; then return; fi
    if ! grep -q 'already locked' "$said" || [ "$turns" -ge 720 ]; then return "$code"; fi
    turns=$((turns + 1))
    restic $options unlock >&2 || :
    sleep 5
  done
}
# 0: open; 1: there is none.
reach() {
  if [ "$KIND" != s3 ] && [ ! -e "$repository/config" ]; then return 1; fi
  code=0
  timeout 120 restic $options cat config >/dev/null 2>"$said" || code=$?
  if [ "$code" = 0 ]; then return; fi
  if grep -q 'specified key does not exist\\|bucket does not exist' "$said"; then return 1; fi
  cat "$said" >&2
  if [ "$code" = 124 ]; then echo "no answer from $SHOWN within 120 s" >&2; fi
  if grep -q 'wrong password' "$said"; then
    echo "$SHOWN was made with another password; give that one" >&2
  fi
  exit 1
}
listed() { restic $options --no-lock snapshots --json "$@"; }
id_in() { printf %s "$1" | sed -n 's/.*"id":"\\([0-9a-f]\\{64\\}\\)".*/\\1/p'; }
ids_in() { printf %s "$1" | tr '{' '\\n' | sed -n 's/.*"id":"\\([0-9a-f]\\{64\\}\\)".*/\\1/p'; }
`;

/** Shell text that makes the repository where there is none. */
export const MAKE_REPOSITORY = `
make_repository() {
  # Another host may have made it meanwhile.
  if [ "$KIND" = s3 ]; then restic $options init >/dev/null || reach; return; fi
  # What an init left that was cut: its keys would lock the next one out.
  if [ -e "$repository/.spillway-init" ]; then discard_repository; fi
  if [ ! -d "$repository" ]; then mkdir -p "$repository"; : >"$repository/.spillway-made"; fi
  if [ -n "$(find "$repository" -mindepth 1 -maxdepth 1 ! -name lost+found ! -name '.spillway-*' -printf . -quit)" ]; then
    echo "$SHOWN holds files that are no restic repository; name an empty directory" >&2
    exit 1
  fi
  : >"$repository/.spillway-init"
  restic $options init >/dev/null
  rm "$repository/.spillway-init"
}
`;

/** Shell text that removes a repository of files, and nothing beside it. */
export const DISCARD_REPOSITORY = `
discard_repository() {
  for part in config data index keys locks snapshots; do rm -rf "\${repository:?}/$part"; done
}
`;

/** Makes a script's text one that uses the repository, which may lie in a volume. */
export function withRepository<S extends Script>(
  script: S,
  host: string,
  repository: Repository,
): { script: S; places: Places } {
  const { directory, volume, s3, password } = repository;
  const kind = directory !== undefined ? "directory" : volume !== undefined ? "volume" : "s3";
  const location = directory ?? volume?.path ?? `${s3?.endpoint}/${s3?.bucket}`;
  const values = {
    KIND: kind,
    LOCATION: location,
    REGION: s3?.region ?? "",
    SHOWN: repositoryName(host, repository),
  };
  const secretFiles = { PASSWORD: password, CREDENTIALS: s3 === undefined ? "" : credentials(s3) };
  const files = { AUTHORITY: s3?.caCertificate ?? "" };
  return {
    script: {
      ...script,
      text: PRELUDE + script.text,
      values: { ...script.values, ...values },
      files: { ...script.files, ...files },
      secretFiles: { ...script.secretFiles, ...secretFiles },
    },
    places: volume === undefined ? {} : { repository: volume },
  };
}

/** As the AWS command line reads them: a file, since an environment is seen by whoever looks at the process. */
const credentials = ({ accessKey, secretKey }: Bucket): string =>
  `[default]\naws_access_key_id = ${accessKey}\naws_secret_access_key = ${secretKey}\n`;
