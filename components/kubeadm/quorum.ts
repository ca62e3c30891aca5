/** A member of etcd as the others see it. */
export interface EtcdMember {
  name: string;
  healthy: boolean;
}

/** How many members must agree. */
export const quorum = (members: number): number => Math.floor(members / 2) + 1;

/**
 * Why a member must not go, `undefined` when it may: those that stay have to be able to agree. The
 * last one may go, and with it the cluster; so may any when agreement is lost already.
 */
export function removalProblem(members: readonly EtcdMember[], leaving: string): string | undefined {
  const healthy = members.filter((member) => member.healthy).length;
  const staying = members.filter(({ name }) => name !== leaving);
  const stayingHealthy = staying.filter((member) => member.healthy);
  if (staying.length === 0 || staying.length === members.length || healthy < quorum(members.length))
    return undefined;
  if (stayingHealthy.length >= quorum(staying.length)) return undefined;
  const dead = staying.filter((member) => !member.healthy).map(({ name }) => name);
  return (
    `${stayingHealthy.length} of the ${staying.length} members that stay are healthy, ${quorum(staying.length)} are needed; ` +
    `bring ${dead.join(", ")} back, or remove it first`
  );
}
