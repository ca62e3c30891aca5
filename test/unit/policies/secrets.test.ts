import { expect, test } from "vitest";
import { type Properties, UNKNOWN } from "../../../components/policies/value.ts";
import { found } from "./world.ts";

test.each<[string, Properties | symbol, string[]]>([
  ["settings", { "app.yaml": "level: info\n", replicas: "3" }, []],
  ["a credential by its name", { database_password: "hunter2", url: "x" }, ["data.database_password"]],
  ["a credential that is filled in later", { password: "$(PASSWORD)", token: "{{ token }}" }, []],
  ["a credential by its value", { "app.conf": "url = postgres://app:hunter2@db/app" }, ["data.app.conf"]],
  ["a file with a credential", { "app.ini": "[db]\nuser = app\npassword = hunter2\n" }, ["data.app.ini"]],
  [
    "a file that says where one is",
    { "app.yaml": 'password_file: /run/secrets/p\ntoken: $TOKEN\nkeys: {"secret": null}\n' },
    [],
  ],
  ["a credential that is empty", { password: "" }, []],
  [
    "names of Secrets",
    { "values.yaml": "auth:\n  existingSecret: foo\nimagePullSecret: regcred\ntls_secret: t\n" },
    [],
  ],
  ["a client's secret", { "app.ini": "client_secret = hunter2" }, ["data.app.ini"]],
  ["what people read", { "m.properties": "login.error.password=Wrong password\nlabel.token=Token\n" }, []],
  ["a line that nothing reads", { "app.conf": "# password: set it in the Secret\n; token = x\n" }, []],
  ["a token of npm", { npmrc: "//registry.npmjs.org/:_authToken=npm_abcdefgh1234" }, ["data.npmrc"]],
  ["where a credential is", { PASSWORD_FILE: "/run/secrets/password" }, []],
  ["what is not known yet", { password: UNKNOWN }, []],
  ["nothing known yet", UNKNOWN, []],
])("a ConfigMap with %s", (_, data, paths) => {
  expect(found("secret-in-environment", "kubernetes:core/v1:ConfigMap", { data })).toEqual(paths);
});

const file = (text: string) =>
  found("secret-in-environment", "kubernetes:core/v1:ConfigMap", { data: { f: text } });

test.each([
  'password = os.environ["PASSWORD"]',
  "password: process.env.PASSWORD",
  'const token = readFileSync("/run/token")',
  "'secret' => getenv('SECRET')",
  "password = var.password",
  "Password: see Vault",
  "password: required",
  "login(password: String!)",
  "string password = 2;",
  "password=Password",
  "example: {password: string}",
  "redact(.m, filters: [r'password=\\S+'])",
  "Regex (?:token=(?<token>[^ &]*))?",
  "url = postgres://{{.user}}:{{.password}}@pg/x",
  "url = postgres://USER:PASSWORD@HOST/x",
  "password: vault:kv/data/x#pw",
  "password: op://vault/item/field",
  "password: ENC[AES256_GCM,data:x]",
  "password: !Ref Password",
  "password: __PASSWORD__",
  "idTokens: 1h",
  '"requiredCredentials": ["password"]',
  '"bindCredential": ["' + "$" + '{vault.x}"]',
  "passwd: files ldap",
  "WHERE password = :password AND token = ?",
  "password: *database",
  '"bindCredential": [\n  "' + "$" + '{vault.x}"\n]',
  "LoadCredential=db-password:/etc/x",
  "ALTER ROLE shop PASSWORD :'pw'",
  "keytool -importcert -cacerts -storepass changeit -file x",
  "JAVA_OPTS=-Djavax.net.ssl.trustStorePassword=changeit",
  'sed -i "s|^password=.*|password=' + "$" + '{PW}|" f',
  "privateKey: ./key.pem",
  "common.applicationlabel and others.internationalization",
])("a file is without a credential: %s", (text) => expect(file(text)).toEqual([]));

test.each([
  "password: hunter2",
  "password=password",
  "password: Str1ng",
  "sed -i 's/^password=.*/password=hunter2/' f",
  "keyStorePassword=changeit",
  'keytool -genkeypair -storepass "hunter2"',
  "url = postgres://user:password@db/x",
  'tokens: ["hunter2hunter2"]',
  "password: vault-hunter2",
  "aws_secret_access_key = /wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  "kubeadm join --token abcdef.0123456789abcdef",
])("a file is with a credential: %s", (text) => expect(file(text)).toEqual(["data.f"]));

test("a ConfigMap's bytes are read as well", () => {
  const key = Buffer.from("-----BEGIN RSA PRIVATE KEY-----\nx").toString("base64");
  const props = { binaryData: { id_rsa: key, logo: Buffer.from([0, 1, 2]).toString("base64") } };
  expect(found("secret-in-environment", "kubernetes:core/v1:ConfigMap", props)).toEqual([
    "binaryData.id_rsa",
  ]);
});

test.each<[string, Properties, boolean]>([
  ["says false", { automountServiceAccountToken: false }, true],
  ["says true", { automountServiceAccountToken: true }, false],
  ["says nothing", {}, true],
  ["is the namespace's own, and says nothing", { metadata: { name: "default" } }, false],
  ["is not known yet", { metadata: { name: "default" }, automountServiceAccountToken: UNKNOWN }, true],
])("an account that %s", (_, props, isFine) => {
  expect(found("service-account-token", "kubernetes:core/v1:ServiceAccount", props)).toEqual(
    isFine ? [] : ["automountServiceAccountToken"],
  );
});

test.each([
  ["argoproj.io/v1alpha1:Rollout", ["readinessProbe"]],
  ["apps.openshift.io/v1:DeploymentConfig", ["readinessProbe"]],
  ["batch.volcano.sh/v1alpha1:Job", []],
  ["example.com/v1:SparkJob", []],
])("what serves is probed, whatever its kind: %s", (type, keys) => {
  const props = { spec: { template: { spec: { containers: [{ name: "app" }] } } } };
  expect(found("readiness-probe", `kubernetes:${type}`, props)).toEqual(
    keys.map((key) => `spec.template.spec.containers[0].${key}`),
  );
});
