import { expect, test } from "vitest";
import { disablesVerification, runsWhatItFetches } from "../../../components/policies/shell.ts";
import { type Properties, UNKNOWN } from "../../../components/policies/value.ts";
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
  "curl -sfL https://get.k3s.io | INSTALL_K3S_EXEC='--a b' K3S_URL=x sh -",
  "curl 'https://example.com/x?a=1&b=2;c' | sh",
  "curl https://example.com/x 2>/dev/null | sh",
  "curl https://example.com/x | sudo -u app bash",
  "curl https://example.com/x | su - app -c bash",
  "curl https://example.com/x | timeout 60 bash",
  "curl https://example.com/x | base64 -d | bash",
  "curl https://example.com/x |& bash",
  "curl https://example.com/x |\n  bash",
  "ssh h 'curl https://example.com/x' | sh",
  "ssh h 'curl https://example.com/x | sh'",
  "curl https://example.com/x | bash /dev/stdin --yes",
  'bash <<< "$(curl https://example.com/x)"',
  "curl -fsSL https://get.docker.com -o get-docker.sh && sh get-docker.sh",
  "curl https://example.com/i.sh > /tmp/i.sh\nchmod +x /tmp/i.sh\n/tmp/i.sh",
  "wget https://example.com/install.sh; chmod +x install.sh; sudo ./install.sh --yes",
  "wget -qO /tmp/x https://example.com/x && . /tmp/x",
  "curl -fsSLO https://example.com/setup.py && python3 setup.py",
  "curl https://example.com/x>/tmp/a;bash /tmp/a",
  "curl https://example.com/x | tee >(bash)",
  "bash < <(curl -s https://example.com/x)",
  "cd /tmp; $(curl -s https://example.com/x)",
  "iwr https://example.com/i.ps1 | iex",
  "Invoke-Expression (New-Object Net.WebClient).DownloadString('https://example.com/i.ps1')",
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
  "VERSION=$(curl -s https://example.com/stable.txt); echo $VERSION",
  "curl https://example.com/x | python3 -m json.tool",
  "curl https://example.com/x | python3 -c 'import json,sys; print(json.load(sys.stdin))'",
  "curl https://example.com/x | perl -pe s/a/b/",
  "curl https://example.com/x | sudo sh -c 'cat >/etc/apt/keyrings/x.asc'",
  "curl https://example.com/key | sudo gpg --dearmor -o /etc/apt/keyrings/node",
  "curl https://example.com/x | bash /opt/ours/read.sh",
  "curl https://example.com/x | sudo tee /usr/local/bin/sh.conf",
  "curl https://example.com/x || sh /opt/ours.sh",
  "printf 'deb http://example.com/x' | sudo sh",
  "curl -fo i.sh https://example.com/i.sh && echo 'abc  i.sh' | sha256sum -c && sh i.sh",
  "curl -fo i.sh https://example.com/i.sh && gpg --verify i.sh.asc i.sh && sh i.sh",
  "curl -Lo /usr/local/bin/x https://example.com/x && chmod +x /usr/local/bin/x",
  "curl -o list.txt https://example.com/list.txt; sh /opt/ours.sh list.txt",
])("nothing that was fetched runs: %s", (text) => expect(runsWhatItFetches(text)).toBe(false));

test.each([
  "curl -o/tmp/i.sh https://example.com/x; sh /tmp/i.sh",
  "curl -fsSLo/tmp/i.sh https://example.com/x; sh /tmp/i.sh",
  'curl --output="/tmp/i.sh" https://example.com/x; sh /tmp/i.sh',
  "curl -o a.sh https://example.com/a -o b.sh https://example.com/b; sh b.sh",
  "wget -O/tmp/i.sh https://example.com/x; sh /tmp/i.sh",
  "wget -qO/tmp/i.sh https://example.com/x; sh /tmp/i.sh",
  "wget https://example.com/i.sh -P /tmp && sh /tmp/i.sh",
  "wget example.com/i.sh; sh i.sh",
  "curl --output-dir /tmp -O https://example.com/i.sh && sh /tmp/i.sh",
  "aria2c -d /tmp https://example.com/i.sh && sh /tmp/i.sh",
  "cd /tmp && curl -o i.sh https://example.com/x && sh /tmp/i.sh",
  "curl -o /tmp/i.sh https://example.com/x; cd /tmp; sh ./i.sh",
  `curl -o "$D/i.sh" https://example.com/x; sh "\${D}/i.sh"`,
  `curl -o "$F" https://example.com/x; sh "\${F}"`,
  "while ! curl -o i.sh https://example.com/x; do sleep 1; done; sh i.sh",
  "until curl -o i.sh https://example.com/x; do sleep 1; done; sh i.sh",
  "if a; then b; else curl -o i.sh https://example.com/x; fi; if c; then d; elif sh i.sh; then e; fi",
  "curl https://example.com/x | sudo tee /tmp/x.sh >/dev/null; bash /tmp/x.sh",
  "curl https://example.com/x | cat > x.sh; bash x.sh",
  "curl https://example.com/x | base64 -d >> x.sh; bash x.sh",
  "curl -Lo /usr/local/bin/tool https://example.com/x && chmod +x /usr/local/bin/tool && tool --init",
  "RUN curl -o /tmp/i.sh https://example.com/x && sh /tmp/i.sh",
  "sh -c curl -o /tmp/i.sh https://example.com/x && sh /tmp/i.sh",
  "curl -o i.sh https://example.com/x; sh -c 'sh i.sh'",
  "curl -o i.sh https://example.com/x; bash -euo pipefail -c ./i.sh",
  "curl -o i.sh https://example.com/x; bash -o pipefail i.sh",
  "Invoke-WebRequest https://example.com/x -OutFile i.ps1; .\\i.ps1",
  'powershell -Command "iwr https://example.com/x -OutFile C:\\i.ps1; C:\\i.ps1"',
])("a file that was fetched runs: %s", (text) => expect(runsWhatItFetches(text)).toBe(true));

test.each([
  "curl -o/tmp/i.sh https://example.com/x; sh /opt/i.sh",
  "wget -O/tmp/i.sh https://example.com/x; cat /tmp/i.sh",
  "wget https://example.com/i.txt -P /tmp && sh /opt/ours.sh /tmp/i.txt",
  "cd /tmp && curl -o i.json https://example.com/x && sh /opt/i.sh",
  "until curl -o i.json https://example.com/x; do sleep 1; done; sh ours.sh",
  "curl https://example.com/x | sudo tee /etc/apt/sources.list.d/x.list >/dev/null; sh /opt/ours.sh",
  "cat ours.sh | tee /tmp/x.sh; curl https://example.com/x -o /dev/null; bash /tmp/x.sh",
  "curl -Lo /usr/local/share/tool https://example.com/x && tool --init",
  "curl -o tool https://example.com/x && tool --init",
  "curl https://example.com/x -o /dev/null; sh /dev/null",
  "Invoke-WebRequest https://example.com/x -OutFile i.json; .\\ours.ps1",
])("no file that was fetched runs: %s", (text) => expect(runsWhatItFetches(text)).toBe(false));

const TWO = "curl https://example.com/a -o a.sh; curl https://example.com/b -o b.sh; ";

test.each([
  `${TWO}echo 'd  a.sh' | sha256sum -c; sh b.sh`,
  `${TWO}sha256sum -c a.sh.sha256; sh b.sh`,
  `${TWO}gpg --verify a.sh.asc; sh b.sh`,
  `${TWO}[ "$(sha256sum a.sh | cut -d' ' -f1)" = "$DIGEST" ] && sh b.sh`,
  `${TWO}grep a.sh SHA256SUMS | sha256sum -c -; sh b.sh`,
  "curl https://example.com/x > /tmp/i.sh && bash /tmp/i.sh # verified by sha256sum elsewhere",
  "# sha256sum -c SHA256SUMS\ncurl https://example.com/x > /tmp/i.sh && bash /tmp/i.sh",
  "curl -fO https://example.com/i.sh -fO https://example.com/i.sh.sha256sum; sh i.sh",
  "curl -o b.sh https://example.com/b; echo 'd  a.sh' | sha256sum -c; sh b.sh",
])("what somebody looks at is another file: %s", (text) => expect(runsWhatItFetches(text)).toBe(true));

test.each([
  `${TWO}echo 'd  b.sh' | sha256sum -c; sh b.sh`,
  `${TWO}sha256sum -c SHA256SUMS && sh a.sh && sh b.sh`,
  `${TWO}sha256sum --check --ignore-missing SHA256SUMS && sh b.sh`,
  `${TWO}printf '%s  %s\\n' "$A" a.sh "$B" b.sh | sha256sum -c && sh b.sh`,
  `${TWO}sha256sum -c <<EOF\nd  a.sh\nd  b.sh\nEOF\nsh b.sh`,
  `${TWO}for f in a.sh b.sh; do sha256sum "$f" | grep -q "$D"; done; sh b.sh`,
  "curl -O https://example.com/i.sh -O https://example.com/SHA256SUMS; sha256sum -c SHA256SUMS && sh i.sh",
  "curl -O https://example.com/i.sh -O https://example.com/SHA256SUMS; cat SHA256SUMS | sha256sum -c && sh i.sh",
  "curl -O https://example.com/i.sh -o i.check https://example.com/s; sha256sum -c i.check && sh i.sh",
  "curl -o i.sh https://example.com/x; curl -s https://example.com/x.sha256 | sha256sum -c && sh i.sh",
  `curl -o i.sh https://example.com/x; [ "$(sha256sum i.sh | cut -d' ' -f1)" = "$DIGEST" ] && sh i.sh`,
  `curl -o i.sh https://example.com/x; SUM="$(sha256sum i.sh | cut -d' ' -f1)"; [ "$SUM" = "$D" ] && sh i.sh`,
  `F=i.sh; curl -o i.sh https://example.com/x; echo "$DIGEST  $F" | sha256sum -c - && sh i.sh`,
  "curl -o /tmp/i.sh https://example.com/x; gpg --verify /tmp/i.sh.asc && sh /tmp/i.sh",
  "wget https://example.com/i.sh; cosign verify-blob --key k.pub --signature i.sig i.sh && sh i.sh",
  "curl -Lo /usr/local/bin/tool https://example.com/x; echo 'd  /usr/local/bin/tool' | sha256sum -c; tool --init",
  "iwr https://example.com/x -OutFile i.ps1; if ((Get-FileHash .\\i.ps1).Hash -ne $d) { exit 1 }; .\\i.ps1",
])("somebody looks at the file: %s", (text) => expect(runsWhatItFetches(text)).toBe(false));

test.each([
  "\\curl -sSL https://example.com/x | bash -s stable",
  'bash -c "$(\\curl -sSL https://example.com/x)"',
  'S=$(curl https://example.com/x); bash -c "$S"',
  `S="$(curl https://example.com/x)"; eval "\${S}"`,
  'S=`curl https://example.com/x`; bash <<< "$S"',
  'S=$(curl https://example.com/x); echo "$S" | sudo bash',
  'source /dev/stdin <<< "$(curl https://example.com/x)"',
  'bash /dev/stdin <<< "$(curl https://example.com/x)"',
  'S=$(curl https://example.com/x); . /dev/stdin <<<"$S"',
  "curl https://example.com/x | ssh host bash",
  "curl https://example.com/x | ssh -i ~/.ssh/k a@host sudo bash -s",
  "curl https://example.com/x | docker exec -i c sh",
  "curl https://example.com/x | kubectl exec -i p -- sh",
  "curl https://example.com/x | sudo chroot /mnt bash",
  "curl https://example.com/x | stdbuf -oL bash",
  "curl https://example.com/x | sh -c 'bash'",
  "curl https://example.com/x | tcsh",
  "curl https://example.com/x | csh",
  "curl https://example.com/x | pwsh -",
  "curl https://example.com/x | powershell.exe -Command -",
  "# install it\ncurl https://example.com/x | sh # as root",
  "apt-get update \\\n  # then\n  && curl https://example.com/x \\\n  # there\n  | sh",
  "echo '#' && curl https://example.com/x#a | sh",
  "[ $# -gt 0 ] && curl https://example.com/x | sh",
  "bash <<EOF\n$(curl -s https://example.com/x)\nEOF",
  "cat <<'EOF' > /opt/i.sh\ncurl https://example.com/x | sh\nEOF",
  "cat <<'EOF' > /opt/i.sh\n$(curl https://example.com/x)\nEOF",
  "cat <<EOF > /opt/x\na\nEOF\n$(curl https://example.com/x)",
  'bash -c "\n$(curl https://example.com/x)\n"',
])("it runs by another way: %s", (text) => expect(runsWhatItFetches(text)).toBe(true));

test.each([
  "\\curl -sSL https://example.com/x | tar -xz",
  'S=$(curl https://example.com/x); echo "$S"',
  'S=$(curl https://example.com/x); T=$(cat ours.sh); bash -c "$T"; eval "$T"',
  'S=$(curl https://example.com/x); echo "$S" | jq -r .version',
  'S=$(curl https://example.com/x); bash ours.sh "$S"',
  'source /dev/stdin <<< "$(cat ours.sh)"; curl https://example.com/x -o x',
  'python3 -m json.tool <<< "$(curl https://example.com/x)"',
  "curl https://example.com/x | ssh host 'cat > /opt/x.sh'",
  "curl https://example.com/x | ssh host tar -xz",
  "curl https://example.com/x | docker exec -i c mysql",
  "curl https://example.com/x | kubectl exec -i p -- sh -c 'cat > /opt/x'",
  "curl https://example.com/x | kubectl apply -f -",
  "curl https://example.com/x | chroot /mnt tee /opt/x",
  "curl https://example.com/x | stdbuf -oL grep a",
  "curl https://example.com/x | pwsh -c '$input | ConvertFrom-Json'",
  "# never do: curl https://example.com/x | sh\necho ok",
  "  #curl https://example.com/x | sh\necho ok",
  "echo ok # not curl https://example.com/x | sh",
  "cat <<EOF > /etc/id\n$(curl -s http://169.254.169.254/x)\nEOF",
  "cat <<-EOF | sudo tee /etc/id\n\t$(curl -s http://169.254.169.254/x)\n\tEOF\necho ok",
  'ID="it is\n$(curl -s http://169.254.169.254/x)\n"',
  'echo "it is\n$(curl -s http://169.254.169.254/x)" > /etc/id',
])("it does not run: %s", (text) => expect(runsWhatItFetches(text)).toBe(false));

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
  "apt-get -o Acquire::https::Verify-Peer=false update",
  "DOCKER_CONTENT_TRUST=0 docker pull x",
  "ANSIBLE_HOST_KEY_CHECKING=False ansible-playbook x",
  "cosign verify --insecure-ignore-tlog=true x",
  "GOSUMDB=off go get x",
  "GOINSECURE=* go get x",
  "aws s3 cp a b --no-verify-ssl",
  "vault login -tls-skip-verify",
  "VAULT_SKIP_VERIFY=true vault status",
  "argocd login h --insecure",
  "cf login --skip-ssl-validation",
  "python3 -c 'requests.get(u, verify=False)'",
  "node -e 'request({ rejectUnauthorized: false })'",
  "yum --setopt=sslverify=false install x",
  "echo check_certificate = off >> ~/.wgetrc",
  "curl -fsSLko x https://example.com",
  "docker pull --disable-content-trust x",
  "dpkg -i --force-bad-verify x.deb",
])("a check is switched off: %s", (text) => expect(disablesVerification(text)).toBe(true));

test.each([
  "curl -fsSL https://example.com -o k",
  "curl --cacert ca.pem https://example.com",
  "ssh -o StrictHostKeyChecking=yes h",
  "kubectl --insecure-skip-tls-verify=false get nodes",
  "sort -k 2 list",
  "curl https://example.com; sort -k 2 list",
  "kube-apiserver --insecure-port=0 --insecure-bind-address=127.0.0.1",
  "curl -o token https://example.com",
  "cosign verify --certificate-identity a b",
  "VAULT_SKIP_VERIFY=false vault status",
  "DOCKER_CONTENT_TRUST=1 docker pull x",
  "yum --setopt=sslverify=true install x",
])("no check is switched off: %s", (text) => expect(disablesVerification(text)).toBe(false));

test.each([
  "curl 'https://example.com/x?a=1&b=2' -k",
  'wget "https://example.com/x?a=1&b=2" --no-check-certificate',
  "curl -H 'A: b|c' -k https://example.com",
  `curl -d '{"a": "b; c"}' -k https://example.com`,
  `bash -c "curl 'https://example.com/x?a=1&b=2' -k"`,
  "curl -k https://example.com # for now",
  "curl https://example.com/#a -k",
  "curl -H 'A: # b' -k https://example.com",
  "serve --color #fff --insecure",
  "apk add --allow-untrusted x.apk",
  "NPM_CONFIG_STRICT_SSL=false npm ci",
  "npm_config_strict_ssl=false npm ci",
  'yarn config set "strict-ssl" false',
  "npm config set strict-ssl false",
  "docker --tlsverify=false ps",
  "http --verify=no https://x",
  "snap install --dangerous x.snap",
  "echo 'SigLevel = Never' >>/etc/pacman.conf",
  "echo strict-ssl=false >> ~/.npmrc",
  "yarn config set enableStrictSsl false",
  "PIP_TRUSTED_HOST=example.com pip install x",
  "pip config set global.trusted-host example.com",
  "Invoke-WebRequest -SkipCertificateCheck https://example.com",
  "LDAPTLS_REQCERT=never ldapsearch -x",
  "echo 'TLS_REQCERT allow' >> /etc/ldap/ldap.conf",
  "ctr images pull --skip-verify example.com/x",
  "conda config --set ssl_verify false",
  "CONSUL_HTTP_SSL_VERIFY=false consul members",
  "mvn -Dmaven.wagon.http.ssl.insecure=true package",
  "aria2c --check-certificate=false https://example.com",
  "gcloud config set auth/disable_ssl_validation True",
  "CLOUDSDK_AUTH_DISABLE_SSL_VALIDATION=true gcloud info",
  "AZURE_CLI_DISABLE_CONNECTION_VERIFICATION=1 az login",
  "ARGOCD_OPTS=--insecure argocd app list",
  "sed -i 's/gpgcheck=1/gpgcheck=0/' /etc/yum.repos.d/x",
  "sed -i 's/StrictHostKeyChecking yes/StrictHostKeyChecking no/' /etc/ssh/ssh_config",
  "sed -i 's|a|b|' x; curl -k https://example.com",
])("a check is switched off, by another way: %s", (text) => expect(disablesVerification(text)).toBe(true));

test.each([
  "curl 'https://example.com/x?a=1&b=2' -o k",
  "curl 'https://example.com/x?a=1&b=2'; sort -k 2 list",
  "ssh h 'curl https://example.com; sort -k 2 list'",
  `bash -c "curl 'https://example.com/x?a=1&b=2'; sort -k 2 list"`,
  "ssh h 'curl https://example.com'; ssh h 'sort -k 2 list'",
  "curl https://example.com -o out # use -k never",
  "# wget --no-check-certificate is not for us\nwget https://example.com",
  "apk add --root /mnt x.apk",
  "NPM_CONFIG_STRICT_SSL=true npm ci",
  'yarn config set "strict-ssl" true',
  "docker --tlsverify ps",
  "snap install x",
  "PIP_TRUSTED_HOST= pip install x",
  "pip config unset global.trusted-host && pip install x",
  "Invoke-WebRequest -SkipCertificateCheck:$false https://example.com",
  "LDAPTLS_REQCERT=demand ldapsearch -x",
  "ctr images pull --skip-verify=false example.com/x",
  "git commit --no-verify",
  "conda config --set ssl_verify true",
  "CONSUL_HTTP_SSL_VERIFY=true consul members",
  "mvn -Dmaven.wagon.http.ssl.insecure=false package",
  "aria2c --check-certificate=true https://example.com",
  "gcloud config set auth/disable_ssl_validation False",
  "AZURE_CLI_DISABLE_CONNECTION_VERIFICATION=0 az login",
  "ARGOCD_OPTS=--insecure=false argocd app list",
  "ARGOCD_OPTS=--grpc-web argocd app list",
  "sed -i 's/gpgcheck=0/gpgcheck=1/' /etc/yum.repos.d/x",
  "sed -i -e 's/a/b/' -e 's|gpgcheck=0|gpgcheck=1|g' /etc/yum.repos.d/x",
  "sed -i '/x/s/gpgcheck=0/gpgcheck=1/' /etc/yum.repos.d/x",
  "sed -i 's/StrictHostKeyChecking no/StrictHostKeyChecking yes/' /etc/ssh/ssh_config",
])("no check is switched off, near by: %s", (text) => expect(disablesVerification(text)).toBe(false));

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
  [{ create: "mysql -u root -phunter22 -e 'select 1'" }, ["create"]],
  [{ create: "mysqladmin -u root -p'hunter22' ping" }, ["create"]],
  [{ create: "curl -u admin:hunter22 https://example.com" }, ["create"]],
  [{ create: "curl -fsSu 'admin:hunter22' https://example.com" }, ["create"]],
  [{ create: "curl -H 'Authorization: Bearer abcdefghijkl' https://example.com" }, ["create"]],
  [{ create: "curl -H 'Authorization: Basic YWRtaW46aHVudGVyMjI=' https://example.com" }, ["create"]],
  [{ create: "curl -H 'X-Vault-Token: hunter22' https://example.com" }, ["create"]],
  [{ create: "sshpass -p hunter22 ssh h" }, ["create"]],
  [{ create: "docker login -u a -p hunter22 registry.example.com" }, ["create"]],
  [{ create: "echo hunter22 | docker login -u a --password-stdin registry.example.com" }, ["create"]],
  [{ create: "echo 'root:hunter22' | chpasswd" }, ["create"]],
  [{ create: "redis-cli -a hunter22 ping" }, ["create"]],
  [{ create: "kubectl create secret generic x --from-file=password=./pw.txt" }, []],
  [{ create: "kubectl create secret generic x --from-literal=password=hunter2" }, ["create"]],
  [{ create: "wget -q https://x/tool_1.2.3.zip -P /tmp" }, []],
  [{ create: "docker run --name login -p 8080:80 x" }, []],
  [{ create: "docker run --name mysql -p3306:3306 x" }, []],
  [{ create: 'rabbitmqctl add_user shop "$PW" --vhost shop' }, []],
  [{ create: "aws configure set web_identity_token_file /var/run/token" }, []],
  [{ create: "aws configure set aws_session_token hunter22" }, ["create"]],
  [{ create: "curl -u admin:{{ .Values.password }} https://x" }, []],
  [{ create: "mongosh -u a -p hunter22" }, ["create"]],
  [{ create: 'mongosh -u a -p "$PASSWORD"' }, []],
  [{ create: "rabbitmqctl add_user bob hunter22" }, ["create"]],
  [{ create: "rabbitmqctl add_user bob $PASSWORD" }, []],
  [{ create: "keytool -storepass hunter22 -list" }, ["create"]],
  [{ create: "keytool -list -keystore s" }, []],
  [{ create: "zip -P hunter22 a.zip b" }, ["create"]],
  [{ create: "openssl enc -aes-256-cbc -k hunter22 -in a" }, ["create"]],
  [{ create: "openssl enc -aes-256-cbc -kfile k -in a" }, []],
  [{ create: "mc alias set s3 https://h admin hunter22" }, ["create"]],
  [{ create: "mc alias set s3 https://h $USER $PASSWORD" }, []],
  [{ create: `npm config set //registry.npmjs.org/:_authToken npm_${"a1".repeat(18)}` }, ["create"]],
  [{ create: "docker login -u a -phunter22 registry.example.com" }, ["create"]],
  [{ create: "aws configure set aws_secret_access_key wJalrXUtnFEMIK7MDENG" }, ["create"]],
  [{ create: "vault login hvs.CAESIabcdefghijklmnopqrstuvwxyz" }, ["create"]],
  [{ create: "htpasswd -bB /etc/htpasswd user hunter22" }, ["create"]],
  [{ create: "htpasswd -nbB user hunter22" }, ["create"]],
  [{ create: "useradd -p $(openssl passwd -6 hunter22) a" }, ["create"]],
  [{ create: "ssh-keygen -t ed25519 -N hunter22 -f k" }, ["create"]],
  [{ create: "sqlcmd -U sa -P hunter22" }, ["create"]],
  [{ create: "curl 'https://example.com/?a=1&b=2' -u admin:hunter22" }, ["create"]],
  [{ create: "mysql -e 'select 1; select 2' -u root -phunter22" }, ["create"]],
  [{ create: "sshpass -v -P 'a|b' -p hunter22 ssh h" }, ["create"]],
  [{ create: "openssl rsa -passin pass:hunter22 -in a" }, ["create"]],
  [{ create: "kubectl create secret generic db --from-literal=password=hunter22" }, ["create"]],
  [{ create: "sed -i 's/^password: .*/password: hunter22/' x" }, ["create"]],
  [{ environment: { URL: "https://user:hunter22@example.com" } }, ["environment.URL"]],
  [{ environment: { DB_PASS: "hunter22" } }, ["environment.DB_PASS"]],
])("a credential in a command: %o", (props, paths) => {
  expect(found("secret-in-command", REMOTE, { connection, ...props })).toEqual(paths);
});

test.each([
  [{ create: 'mysql --password "$PASSWORD"' }],
  [{ create: "read -r TOKEN; use --token-file /run/token" }],
  [{ create: "run --password-stdin" }],
  [{ environment: { API_TOKEN: UNKNOWN, LOG: "info", TOKEN_FILE: "/run/token" } }],
  [{ environment: { API_TOKEN: "/run/secrets/token", DB_SECRET: "arn:aws:secretsmanager:a" } }],
  [{ create: "kubectl create secret generic database --from-file=password=/run/secrets/db" }],
  [{ create: "kubectl get secret database-credentials -o name" }],
  [{ create: "gcloud secrets versions access latest --secret=database-password" }],
  [{ environment: { MAX_TOKENS: "4096" } }],
  [{ create: "docker build --secret id=npmrc,src=/run/npmrc ." }],
  [{ create: "aws secretsmanager get-secret-value --secret-id prod/database" }],
  [{ create: "vault token lookup; echo the password changes" }],
  [{ create: 'mysql -u root -p"$PASSWORD"; mysql -h db -P 3306 -p < x.sql' }],
  [{ create: 'curl -u "admin:$PASSWORD" https://example.com; curl -u "$LOGIN" https://example.com' }],
  [{ create: 'echo "root:$PASSWORD" | chpasswd; cat /run/p | docker login -u a --password-stdin h' }],
  [{ create: 'curl -H "Authorization: Bearer $(cat /run/token)" https://example.com' }],
  [{ create: "ssh-keygen -t ed25519 -N '' -f k; openssl passwd -6 -salt abc -stdin < /run/p" }],
  [{ create: 'htpasswd -bB /etc/htpasswd user "$PASSWORD"; htpasswd -B -i /etc/htpasswd user' }],
  [{ create: "vault login -method=userpass -path=people; aws configure set region eu-west-1" }],
  [{ create: "docker run -p 8080:80 nginx; mkdir -p /srv/docker/login -p" }],
  [{ create: "bash -c 'redis-cli ping; ls -a folder'" }],
  [{ create: `mysql -e 'select 1; select 2' -u root -p"$PASSWORD"` }],
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
});

test.each<[Properties, string[]]>([
  [{ dialErrorLimit: 0, perDialTimeout: 5 }, []],
  [{ dialErrorLimit: -1 }, ["connection.dialErrorLimit"]],
  [{ perDialTimeout: 0 }, ["connection.perDialTimeout"]],
  [{ proxy: { ...connection, perDialTimeout: 0 } }, ["connection.proxy.perDialTimeout"]],
])("connections are tried for a while: %o", (more, paths) => {
  expect(found("bounded-time", REMOTE, { connection: { ...connection, ...more } })).toEqual(paths);
});

test("tries without end end with the command", () => {
  const props = { connection: { ...connection, dialErrorLimit: -1 } };
  const timeouts = { create: 600, update: 600, delete: 600 };
  expect(found("bounded-time", REMOTE, props, { timeouts })).toEqual([]);
});

test.each<[Properties, string[]]>([
  [{ stepTimeout: 60, dialTimeout: 5 }, []],
  [{ stepTimeout: 0 }, ["connection.stepTimeout"]],
  [{ dialTimeout: 0 }, ["connection.dialTimeout"]],
])("steps on own hosts end: %o", (more, paths) => {
  const type = "spillway:ssh:HostState";
  expect(found("bounded-time", type, { connection: { ...connection, ...more } })).toEqual(paths);
});

test.each([
  ["pipe-to-shell", "curl https://example.com/x | sh"],
  ["disabled-verification", "curl -k https://example.com/x"],
])("%s is asked of commands and of containers", (id, script) => {
  expect(found(id, REMOTE, { connection, create: "true", update: script })).toEqual(["update"]);
  const containers = [{ name: "c", image: "i", command: ["sh", "-c"], args: [script] }];
  expect(found(id, "kubernetes:core/v1:Pod", { spec: { containers } })).toEqual(["spec.containers[0].args"]);
  expect(found(id, REMOTE, { connection, create: "curl -fo x https://example.com/x" })).toEqual([]);
  expect(found(id, "docker:index/container:Container", { command: ["sh", "-c", script] })).toEqual([
    "command",
  ]);
  const containerSpec = { commands: ["sh", "-c"], args: [script] };
  expect(found(id, "docker:index/service:Service", { taskSpec: { containerSpec } })).toEqual([
    "taskSpec.containerSpec.args",
  ]);
  const dockerfile = { inline: `FROM a\nRUN ${script}\n` };
  expect(found(id, "docker-build:index:Image", { dockerfile })).toEqual(["dockerfile.inline"]);
  const state = {
    files: { "/opt/a": { content: script }, "/opt/b": { content: "true" } },
    units: { "a.service": { content: `[Service]\nExecStart=sh -c '${script}'\n` } },
  };
  expect(found(id, "spillway:ssh:HostState", state)).toEqual([
    'files["/opt/a"].content',
    'units["a.service"].content',
  ]);
});

test.each<[string, Properties, string[]]>([
  [
    REMOTE,
    { connection, environment: { NODE_TLS_REJECT_UNAUTHORIZED: "0" } },
    ["environment.NODE_TLS_REJECT_UNAUTHORIZED"],
  ],
  [
    REMOTE,
    { connection, environment: { NODE_TLS_REJECT_UNAUTHORIZED: "1", GIT_SSL_NO_VERIFY: UNKNOWN } },
    [],
  ],
  [
    "kubernetes:core/v1:Pod",
    { spec: { containers: [{ name: "c", env: [{ name: "PYTHONHTTPSVERIFY", value: "0" }] }] } },
    ["spec.containers[0].env[0].value"],
  ],
  ["docker:index/container:Container", { envs: ["A=b", "GIT_SSL_NO_VERIFY=true"] }, ["envs[1]"]],
  ["docker:index/registryImage:RegistryImage", { insecureSkipVerify: true }, ["insecureSkipVerify"]],
  ["docker:index/registryImage:RegistryImage", { insecureSkipVerify: false }, []],
  [
    "pulumi:providers:docker",
    { host: "ssh://a@h", sshOpts: JSON.stringify(["-o", "StrictHostKeyChecking=no"]) },
    ["sshOpts"],
  ],
  ["pulumi:providers:docker", { host: "ssh://a@h", sshOpts: ["-o", "StrictHostKeyChecking=yes"] }, []],
  [
    "pulumi:providers:kubernetes",
    { kubeconfig: "clusters:\n- cluster:\n    insecure-skip-tls-verify: true\n" },
    ["kubeconfig"],
  ],
  [
    "pulumi:providers:kubernetes",
    { kubeconfig: '{"clusters":[{"cluster":{"insecure-skip-tls-verify":false}}]}' },
    [],
  ],
])("no check is switched off by %s with %o", (type, props, paths) => {
  expect(found("disabled-verification", type, props)).toEqual(paths);
});

const pod = (args: unknown[]) => ({ spec: { containers: [{ name: "c", args }] } });

test.each<[unknown[], string[]]>([
  [["--password", "hunter22"], ["spec.containers[0].args[1]"]],
  [["-api-key", "hunter22"], ["spec.containers[0].args[1]"]],
  [["-c", "mysql -u root -phunter22 -e 'select 1'"], ["spec.containers[0].args[1]"]],
  [["-c", "DB_PASSWORD=hunter22 run"], ["spec.containers[0].args[1]"]],
  [["--password", "$(PASSWORD)"], []],
  [["--password", UNKNOWN], []],
  [["--token", "/run/secrets/token"], []],
  [["--password", "--verbose"], []],
  [["--tls-secret", "web-tls"], []],
  [["-c", 'mysql -u root -p"$PASSWORD" -e "select 1"'], []],
])("a credential among a container's words: %o", (args, paths) => {
  expect(found("secret-in-environment", "kubernetes:core/v1:Pod", pod(args))).toEqual(paths);
});

// What grows by the square takes longer than a test may.
test("what commands are is judged in short time, however long they are", () => {
  const parts = ["curl a | ", "wget ", "| sudo ", "a=b ", "curl -o a ", "'", "sh -c $(", "echo a "];
  const more = [
    "\n",
    '"',
    ")",
    "u",
    "/",
    "#",
    " s/",
    "a.sh ",
    "curl -o a/b\nsh c/b\n",
    "cat <<A\n",
    "sed s|",
    "-d '",
  ];
  for (const text of [...parts, ...more]) {
    const long = `curl -${text.repeat(2 ** 18 / text.length)}`;
    runsWhatItFetches(long);
    disablesVerification(long);
    found("secret-in-command", REMOTE, { create: long });
  }
});
