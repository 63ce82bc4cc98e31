/** `1 client`, `2 clients`. */
export const clients = (count: number): string => `${count} ${clientWord(count)}`;

export const clientWord = (count: number): string => (count === 1 ? 'client' : 'clients');
