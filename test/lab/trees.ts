import { expect } from "vitest";
import { exec } from "../../components/lab/control.ts";
import { TREE } from "../../components/operations/tree.ts";

/** Runs shell text on a lab's host. */
export async function inside(lab: string, host: string, text: string): Promise<string> {
  const { code, stdout, stderr } = await exec(lab, host, ["/bin/sh", "-eu"], `export LC_ALL=C\n${text}`);
  expect(code, `${host}: ${stderr}`).toBe(0);
  return stdout.trim();
}

/** All that a copy has to keep of a directory, as readable lines; what a store puts at its top is left out. */
export function treeOf(lab: string, host: string, directory: string): Promise<string> {
  return inside(lab, host, `${TREE}\ntree '${directory}' | tr '\\0' '\\n'`);
}

/** Shell text that fills the current directory: small files, a large one, and all that copies like to lose. */
export const fillTree = (files: number, mebibytes: number): string => `
seq ${files} | xargs -n 500 sh -c '
  for i in "$@"; do mkdir -p "small/$((i % 40))"; echo "content of $i" >"small/$((i % 40))/f$i"; done' sh
head -c ${mebibytes}M /dev/urandom >large
truncate -s 20M holes; printf x | dd of=holes bs=1 seek=9000000 conv=notrunc status=none
printf shared >one; ln one other; mkdir links; ln one links/third
ln -s one to-one; ln -s /nowhere/at/all dangling; ln -s .. links/up
printf a >./-rf; printf b >' spaces  inside '; printf c >'new
line'; printf d >'é ü 漢字'; printf e >'q"uote'"'"'$(id)'; : >empty; mkdir 'empty dir'
setfattr -n user.note -v 'some words' one; setfattr -n user.bytes -v 0x00ff0a large; setfattr -n user.d -v q links
setfacl -m u:4242:r ' spaces  inside '
chown 1234:2345 large small/3; chown -h 77:88 dangling; chmod 4755 ./-rf; chmod 2751 links; chmod 1777 'empty dir'
chmod 0 'é ü 漢字'; mkfifo pipe
touch -d '2001-02-03 04:05:06.123456789' large small/5; touch -h -d '1999-12-31 23:59:59.5' dangling
chown 55:66 .; touch -d '2010-10-10 10:10:10' .
`;
