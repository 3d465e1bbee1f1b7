export declare function minifyAll(folder: string): void;
