import { expect, test } from "vitest";
import { disablesVerification, runsWhatItFetches } from "../../../components/policies/shell.ts";
import { UNKNOWN } from "../../../components/policies/value.ts";
import { found } from "./world.ts";

test.each([
  "curl -fsSL https://example.com/install.sh | sh",
  "curl https://example.com/x|sudo -E bash -s -- --yes",
  "wget -qO- https://example.com/x | /bin/bash",
  "curl -s https://example.com/x \\\n  | bash",
  'bash -c "$(curl -fsSL https://example.com/x)"',
  "sh -c `wget -O- https://example.com/x`",
  "bash <(curl -s https://example.com/x)",
  "source <(curl -s https://example.com/x)",
  'eval "$(curl -s https://example.com/x)"',
  "curl https://example.com/get.py | python3 -",
  "curl https://example.com/x | tee /tmp/x | bash",
  "curl https://example.com/x | env A=b bash",
])("what was fetched runs: %s", (text) => expect(runsWhatItFetches(text)).toBe(true));

test.each([
  "curl -fsSLo x.tar.gz https://example.com/x.tar.gz && sha256sum -c x.sha256",
  "curl https://example.com/x | tar -xz",
  "curl https://example.com/x | jq .version",
  "curl https://example.com/ssh.txt; bash /opt/ours.sh",
  "echo 'do not curl | nothing' ",
  "cat script | bash",
  "curl https://example.com/x | gpg --dearmor >/etc/apt/keyrings/x.gpg",
  "curl https://example.com/list | sort | uniq",
])("nothing that was fetched runs: %s", (text) => expect(runsWhatItFetches(text)).toBe(false));

test.each([
  "curl -k https://example.com",
  "curl -sSLk https://example.com",
  "curl --insecure https://example.com",
  "wget --no-check-certificate https://example.com",
  "ssh -o StrictHostKeyChecking=no h",
  "ssh -oUserKnownHostsFile=/dev/null h",
  "git -c http.sslVerify=false clone x",
  "GIT_SSL_NO_VERIFY=1 git clone x",
  "kubectl --insecure-skip-tls-verify get nodes",
  "kubeadm join h:6443 --discovery-token-unsafe-skip-ca-verification",
  "pip install --trusted-host example.com x",
  "apt-get install --allow-unauthenticated x",
  "dnf install --nogpgcheck x",
  "echo 'deb [trusted=yes] https://example.com x main'",
  "skopeo copy --dest-tls-verify=false a b",
])("a check is switched off: %s", (text) => expect(disablesVerification(text)).toBe(true));

test.each([
  "curl -fsSL https://example.com -o k",
  "curl --cacert ca.pem https://example.com",
  "ssh -o StrictHostKeyChecking=yes h",
  "kubectl --insecure-skip-tls-verify=false get nodes",
  "sort -k 2 list",
  "curl https://example.com; sort -k 2 list",
])("no check is switched off: %s", (text) => expect(disablesVerification(text)).toBe(false));

const REMOTE = "command:remote:Command";
const connection = { host: "h", hostKey: "ssh-ed25519 AAAA" };

test("a host's key is pinned, and so are those on the way", () => {
  expect(found("host-key", REMOTE, { connection, create: "true" })).toEqual([]);
  expect(found("host-key", REMOTE, { connection: { host: "h" } })).toEqual(["connection.hostKey"]);
  const proxied = { ...connection, proxy: { host: "p" } };
  expect(found("host-key", REMOTE, { connection: proxied })).toEqual(["connection.proxy.hostKey"]);
  expect(found("host-key", REMOTE, { connection: { host: "h", hostKey: UNKNOWN } })).toEqual([]);
  expect(found("host-key", "spillway:ssh:HostState", { connection: { host: "h", hostKey: "" } })).toEqual([
    "connection.hostKey",
  ]);
  expect(found("host-key", "spillway:ssh:Preflight", { hosts: [connection, { host: "h" }] })).toEqual([
    "hosts[1].hostKey",
  ]);
});

test.each([
  [{ create: "mysql --password hunter22" }, ["create"]],
  [{ create: "DB_PASSWORD=hunter22 run" }, ["create"]],
  [{ update: "git clone https://user:hunter22@example.com/x" }, ["update"]],
  [{ environment: { API_TOKEN: "hunter22" } }, ["environment.API_TOKEN"]],
  [{ delete: "echo AKIAABCDEFGHIJKLMNOP" }, ["delete"]],
])("a credential in a command: %o", (props, paths) => {
  expect(found("secret-in-command", REMOTE, { connection, ...props })).toEqual(paths);
});

test.each([
  [{ create: 'mysql --password "$PASSWORD"' }],
  [{ create: "read -r TOKEN; use --token-file /run/token" }],
  [{ create: "run --password-stdin" }],
  [{ environment: { API_TOKEN: UNKNOWN, LOG: "info", TOKEN_FILE: "/run/token" } }],
])("no credential in a command: %o", (props) => {
  expect(found("secret-in-command", REMOTE, { connection, ...props })).toEqual([]);
});

test("commands end", () => {
  const limits = { create: 60, update: 60, delete: 60 };
  expect(found("bounded-time", REMOTE, { connection }, { timeouts: limits })).toEqual([]);
  expect(found("bounded-time", REMOTE, { connection })).toEqual([]);
  expect(found("bounded-time", REMOTE, { connection }, { timeouts: { ...limits, create: 0 } })).toEqual([
    "options.customTimeouts.create",
  ]);
  expect(found("bounded-time", REMOTE, { connection: { ...connection, dialErrorLimit: 0 } })).toEqual([
    "connection.dialErrorLimit",
  ]);
});

test.each([
  ["pipe-to-shell", "curl https://example.com/x | sh"],
  ["disabled-verification", "curl -k https://example.com/x"],
])("%s is asked of commands and of containers", (id, script) => {
  expect(found(id, REMOTE, { connection, create: "true", update: script })).toEqual(["update"]);
  const containers = [{ name: "c", image: "i", command: ["sh", "-c"], args: [script] }];
  expect(found(id, "kubernetes:core/v1:Pod", { spec: { containers } })).toEqual(["spec.containers[0].args"]);
  expect(found(id, REMOTE, { connection, create: "curl -fo x https://example.com/x" })).toEqual([]);
});
